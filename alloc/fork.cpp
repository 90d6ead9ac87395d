#include "fork.hpp"

#include <pthread.h>

#include "slow_path.hpp"

namespace numaheap::alloc {

namespace {

void prepare() {
  if (g_heap.is_started()) g_heap.before_fork();
}
void in_parent() {
  if (g_heap.is_started()) g_heap.after_fork_in_parent();
}
void in_child() {
  if (g_heap.is_started()) g_heap.after_fork_in_child(t_locals.state);
}

}  // namespace

bool register_fork_handlers() noexcept { return pthread_atfork(prepare, in_parent, in_child) == 0; }

}  // namespace numaheap::alloc

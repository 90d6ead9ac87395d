#include "slow_path.hpp"

#include <pthread.h>

#include "jemalloc/boot.hpp"
#include "limits.hpp"
#include "node_cache.hpp"
#include "publishing.hpp"
#include "report.hpp"

namespace numaheap::detail {

void* g_no_slots[2] = {nullptr, nullptr};

namespace {

// One set of bins serves all threads before their first allocation: nobody writes to it, as no address lies in its
// range and every bin is full.
constinit NodeCache g_empty_cache;

}  // namespace

extern "C" {
__thread NodeCache* nh_home_cache_abi1 __attribute__((tls_model("initial-exec"))) = &g_empty_cache;
}

NodeCache* empty_cache() noexcept { return &g_empty_cache; }

}  // namespace numaheap::detail

namespace numaheap::alloc {

__thread ThreadLocals t_locals __attribute__((tls_model("initial-exec")));

namespace {

pthread_key_t g_exit_key;

void thread_exits(void* /*value*/) {
  ThreadState* state = t_locals.state;
  if (state == nullptr) return;
  {
    const SlowPath slow;
    if (!slow.entered())
      return;  // the thread ends inside the allocator: its state is lost, nothing else
    leave_caches(*state);
    t_locals.state = nullptr;  // so that no home cache is put back
    t_locals.exited = true;
  }
  g_heap.release_thread_state(state);
}

}  // namespace

bool make_thread_exit_key() noexcept { return pthread_key_create(&g_exit_key, thread_exits) == 0; }

void watch_thread_exit() noexcept { pthread_setspecific(g_exit_key, &t_locals); }

SlowPath::SlowPath() noexcept : entered_(!t_locals.inside) {
  if (!entered_) return;
  t_locals.inside = true;
  if (!g_heap.started() || g_heap.system_backend()) return;
  thread_ = t_locals.state;
  if (thread_ == nullptr) {
    thread_ = g_heap.adopt_thread_state();
    if (thread_ == nullptr) return;
    if (t_locals.exited) {
      borrowed_ =
          true;  // a destructor that runs after ours: no home cache, as nobody would empty it
    } else {
      t_locals.state = thread_;
      jemalloc::enter_thread();
      t_locals.inside = false;
      watch_thread_exit();
      t_locals.inside = true;
    }
  }
  // A signal handler's inline path must not touch a bin that is being changed: it misses, and meets `inside`.
  detail::nh_home_cache_abi1 = detail::empty_cache();
  std::atomic_signal_fence(std::memory_order_seq_cst);
  thread_->sequence.store(thread_->sequence.load(std::memory_order_relaxed) + 1,
                          std::memory_order_relaxed);
  // release fence: pairs with the acquire fence of statistics; what is written from here on is seen as inside.
  std::atomic_thread_fence(std::memory_order_release);
}

SlowPath::~SlowPath() {
  if (!entered_) return;
  if (thread_ != nullptr) {
    if (borrowed_) flush_thread(*thread_);
    // release: pairs with the acquire load of statistics; what was written inside is seen whole.
    thread_->sequence.store(thread_->sequence.load(std::memory_order_relaxed) + 1,
                            std::memory_order_release);
    if (borrowed_) g_heap.release_thread_state(thread_);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (t_locals.state != nullptr) detail::nh_home_cache_abi1 = thread_->home;
  }
  t_locals.inside = false;
}

void leave_slow_path() noexcept {
  deliver_reports();
  announce_limits();
  publish_if_due();
}

}  // namespace numaheap::alloc

#include "thread_home.hpp"

#include "node_cache.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/numa/residency.hpp"
#include "slow_path.hpp"

namespace numaheap {

namespace alloc {

void follow_cpu(ThreadState& thread) noexcept {
  if (thread.placement_fixed || g_heap.placement_count() == 1) return;
  const unsigned here = g_heap.home_of_node(numa::current_node());
  if (here == thread.home->placement) {
    thread.away = 0;
  } else if (++thread.away >= g_heap.settings().rebind_after) {
    rebind(thread, here);
  }
}

bool rebind(ThreadState& thread, unsigned placement) noexcept {
  thread.away = 0;
  HeapCache* const old = thread.home;
  if (placement == old->placement) return true;
  HeapCache* const now = g_heap.cache_for(thread, placement);
  if (now == nullptr) return false;
  thread.home = now;
  thread.home_placement.store(placement, std::memory_order_relaxed);
  if (!t_locals.exited) detail::nh_home_cache_abi1 = now;
  make_outgoing(thread, *old);
  return true;
}

}  // namespace alloc

using namespace alloc;

NodeId thread_node() noexcept {
  if (!g_heap.started() || g_heap.system_backend()) return numa::current_node();
  const ThreadState* thread = t_locals.state;
  const unsigned placement = thread != nullptr
                                 ? thread->home_placement.load(std::memory_order_relaxed)
                                 : g_heap.home_of_node(numa::current_node());
  return g_heap.placement(placement).node;
}

Status set_thread_home(Placement placement) noexcept {
  const SlowPath slow;
  ThreadState* thread = slow.thread();
  if (thread == nullptr)
    return Error{ErrorCode::kNotSupported, 0, "this thread has no heap of ours"};
  if (placement.kind() == Placement::Kind::kLocal) {
    thread->placement_fixed = false;
    return Unit{};
  }
  const unsigned index = g_heap.index_of(placement);
  if (index == kNoPlacement) return Error{ErrorCode::kNotFound, 0, "that node has no heap"};
  if (!rebind(*thread, index)) return Error{ErrorCode::kNoMemory, 0, "no memory for a cache"};
  thread->placement_fixed = true;
  return Unit{};
}

Result<NodeId> resident_node(const void* address) noexcept { return numa::resident_node(address); }

}  // namespace numaheap

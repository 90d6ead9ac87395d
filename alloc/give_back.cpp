/// Giving unused memory back: purge (the node's, to the kernel) and trim (the thread's own, to its node).

#include "housekeeping.hpp"
#include "node_cache.hpp"
#include "numaheap/alloc.hpp"
#include "slow_path.hpp"

namespace numaheap {

namespace alloc {

namespace {

PurgeResult purge_placement(PlacementHeap& placement, Bytes budget) noexcept {
  PurgeResult result{};
  const SlowPath slow;
  if (!slow.entered()) return result;
  drain_transfer(placement, budget, false);
  placement.arena.release_unused();
  result.purged = placement.extents.purge(budget);
  result.left = placement.transfer.held() + placement.extents.dirty();
  return result;
}

bool usable_heap() noexcept { return g_heap.started() && !g_heap.system_backend(); }

}  // namespace

}  // namespace alloc

using namespace alloc;

PurgeResult purge(Bytes budget) noexcept {
  PurgeResult total{};
  if (!usable_heap()) return total;
  trim();  // the caller's own cache; the other threads' go at their next look at the clock
  ask_all_to_flush();
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    const PurgeResult one = purge_placement(g_heap.placement(i), budget - total.purged);
    total.purged += one.purged;
    total.left += one.left;
    if (total.purged >= budget) total.purged = budget;
  }
  leave_slow_path();
  return total;
}

PurgeResult purge(NodeId node, Bytes budget) noexcept {
  if (!usable_heap()) return {};
  const unsigned index = g_heap.index_of(Placement::node(node));
  return index == kNoPlacement ? PurgeResult{} : purge_placement(g_heap.placement(index), budget);
}

Bytes trim() noexcept {
  Bytes held;
  {
    const SlowPath slow;
    if (slow.thread() != nullptr) held = flush_thread(*slow.thread());
  }
  leave_slow_path();
  return held;
}

void thread_idle() noexcept { trim(); }

void housekeep() noexcept {
  {
    const SlowPath slow;
    if (slow.thread() != nullptr) look_at_clock(*slow.thread());
  }
  leave_slow_path();
}

}  // namespace numaheap

#include "thread_home.hpp"

#include "node_cache.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/numa/residency.hpp"
#include "slow_path.hpp"

namespace numaheap {

namespace alloc {

namespace {

constexpr pthread_t kClaimed = 1;  // no thread's

/// Requests for threads without a state. A slot is free while its thread is 0, and nobody's while it is kClaimed.
struct PendingHome {
  std::atomic<pthread_t> thread{0};
  std::atomic<uint32_t> request{0};
};
PendingHome g_pending[kPendingHomes];
std::atomic<unsigned> g_pending_count{0};

/// Leaves a request with a thread that has a state. \returns false if it has none.
bool ask_thread(pthread_t thread, uint32_t request) noexcept {
  for (ThreadState* state = g_heap.first_state(); state != nullptr;
       state = state->next_registered) {
    if (state->thread_id.load(std::memory_order_seq_cst) != 0 &&
        state->thread.load(std::memory_order_relaxed) == thread) {
      state->requested_home.store(request, std::memory_order_relaxed);
      return true;
    }
  }
  return false;
}

void obey(ThreadState& thread, uint32_t request) noexcept {
  thread.placement_fixed = request != ThreadState::kFollowCpu;
  if (thread.placement_fixed) rebind(thread, request - 1);
}

}  // namespace

uint32_t take_pending_home(pthread_t thread) noexcept {
  if (g_pending_count.load(std::memory_order_seq_cst) == 0) return 0;
  for (PendingHome& pending : g_pending) {
    pthread_t mine = thread;
    // acquire: pairs with the release that stored it; the request is seen.
    if (!pending.thread.compare_exchange_strong(mine, kClaimed, std::memory_order_acquire))
      continue;
    const uint32_t request = pending.request.load(std::memory_order_relaxed);
    pending.thread.store(0, std::memory_order_release);
    g_pending_count.fetch_sub(1, std::memory_order_relaxed);
    return request;
  }
  return 0;
}

void follow_cpu(ThreadState& thread) noexcept {
  if (thread.requested_home.load(std::memory_order_relaxed) != 0) {
    obey(thread, thread.requested_home.exchange(0, std::memory_order_relaxed));
  }
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

Status set_thread_home(pthread_t thread, Placement placement) noexcept {
  if (!g_heap.started() || g_heap.system_backend()) {
    return Error{ErrorCode::kNotSupported, 0, "there is no heap of ours"};
  }
  uint32_t request = ThreadState::kFollowCpu;
  if (placement.kind() != Placement::Kind::kLocal) {
    const unsigned index = g_heap.index_of(placement);
    if (index == kNoPlacement) return Error{ErrorCode::kNotFound, 0, "that node has no heap"};
    request = index + 1;
  }
  if (ask_thread(thread, request)) return Unit{};
  for (PendingHome& pending : g_pending) {
    pthread_t none = 0;
    if (!pending.thread.compare_exchange_strong(none, kClaimed, std::memory_order_relaxed))
      continue;
    pending.request.store(request, std::memory_order_relaxed);
    // release: pairs with the acquire in take_pending_home().
    pending.thread.store(thread, std::memory_order_release);
    // seq_cst: pairs with the one in Heap::adopt_thread_state(). The thread may have got its state meanwhile and have
    // looked here before; then it is asked directly, and what was left here is taken out again.
    g_pending_count.fetch_add(1, std::memory_order_seq_cst);
    if (ask_thread(thread, request)) take_pending_home(thread);
    return Unit{};
  }
  return Error{ErrorCode::kNoMemory, 0, "too many threads wait for their first allocation"};
}

Status set_spill_order(NodeId from, std::span<const NodeId> to) noexcept {
  if (!g_heap.started() || g_heap.system_backend()) {
    return Error{ErrorCode::kNotSupported, 0, "there is no heap of ours"};
  }
  const unsigned index = g_heap.index_of(Placement::node(from));
  if (index == kNoPlacement || to.size() > numa::kMaxHeapNodes) {
    return Error{ErrorCode::kNotFound, 0, "that node has no heap"};
  }
  for (NodeId node : to) {
    if (g_heap.index_of(Placement::node(node)) == kNoPlacement) {
      return Error{ErrorCode::kNotFound, 0, "a node of the order has no heap"};
    }
  }
  // relaxed: an allocation that runs meanwhile may see a mixture of the two orders, each entry a valid one.
  PlacementHeap& heap = g_heap.placement(index);
  for (size_t i = 0; i < to.size(); ++i) {
    heap.spill_order[i].store(static_cast<uint8_t>(g_heap.index_of(Placement::node(to[i]))),
                              std::memory_order_relaxed);
  }
  heap.spill_count.store(static_cast<unsigned>(to.size()), std::memory_order_relaxed);
  return Unit{};
}

Result<NodeId> resident_node(const void* address) noexcept { return numa::resident_node(address); }

}  // namespace numaheap

#include "housekeeping.hpp"

#include <ctime>

#include "allowed_nodes.hpp"
#include "limits.hpp"
#include "node_cache.hpp"
#include "publishing.hpp"

namespace numaheap::alloc {

namespace {

constexpr Bytes kTickBytes = MiB(1);  // some 100 us of madvise(2)
constexpr int kDrainMs = 250;

std::atomic<int64_t> g_next_tick_ms{0};
std::atomic<int64_t> g_next_drain_ms{0};
std::atomic<unsigned> g_flushes_asked{0};

int64_t now_ms() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

/// A range that grows while its arena holds free extents grows for their shape alone, as the arena does not put small
/// ones together: so they go to the ExtentPool, which does. How many there are is not asked: jemalloc refreshes its books
/// under all of its locks, which no allocation shall wait for.
void merge_if_growing(PlacementHeap& placement) noexcept {
  constexpr size_t kLeast = size_t{1} << 20;
  const size_t grown = placement.extents.grown().value;
  size_t before = placement.grown_at_look.load(std::memory_order_relaxed);
  const size_t grain = grown / 32 > kLeast ? grown / 32 : kLeast;
  if (grown - before < grain ||
      !placement.grown_at_look.compare_exchange_strong(before, grown, std::memory_order_relaxed))
    return;
  placement.arena.release_extents();
}

/// What a tick gives back of an ExtentPool's dirty pages: most of them within half the decay time.
Bytes due(Bytes dirty) noexcept {
  const int64_t decay_ms = g_heap.settings().dirty_decay_ms;
  if (decay_ms < 0) return {};
  const size_t ticks = static_cast<size_t>(decay_ms) / (size_t{8} * kTickMs) + 1;
  constexpr size_t kLeast = size_t{64} << 10;
  const size_t share = dirty.value / ticks > kLeast ? dirty.value / ticks : kLeast;
  return share < kTickBytes.value ? Bytes{share} : kTickBytes;
}

/// Whether the caller is the one that does what is due now.
bool claim(std::atomic<int64_t>& next, int64_t now, int64_t period) noexcept {
  int64_t due = next.load(std::memory_order_relaxed);
  return now >= due && next.compare_exchange_strong(due, now + period, std::memory_order_relaxed);
}

}  // namespace

void ask_all_to_flush() noexcept { g_flushes_asked.fetch_add(1, std::memory_order_relaxed); }

void tick(ThreadState& thread) noexcept {
  if (thread.until_tick-- != 0) return;
  look_at_clock(thread);
}

void look_at_clock(ThreadState& thread) noexcept {
  thread.until_tick = kSlowPathsPerLook;
  const int64_t now = now_ms();
  look_whether_to_publish(now);
  if (const unsigned asked = g_flushes_asked.load(std::memory_order_relaxed);
      asked != thread.flushes_done) {
    thread.flushes_done = asked;
    flush_thread(thread);
  }
  if (now - thread.last_aged_ms >= kAgeMs) {
    thread.last_aged_ms = now;
    for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
      HeapCache* cache = thread.caches[i].load(std::memory_order_relaxed);
      if (cache != nullptr) age_cache(thread, *cache);
    }
  }
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) merge_if_growing(g_heap.placement(i));
  if (!claim(g_next_tick_ms, now, kTickMs)) return;
  const bool drain = claim(g_next_drain_ms, now, kDrainMs);
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    PlacementHeap& placement = g_heap.placement(i);
    if (drain) {
      drain_transfer(placement, kTickBytes, true);
      placement.arena.decay();
    }
    if (const Bytes dirty = placement.extents.dirty(); dirty.value != 0)
      placement.extents.purge(due(dirty));
  }
  if (drain) {
    sample_limits();
    sample_allowed_nodes();
  }
}

}  // namespace numaheap::alloc

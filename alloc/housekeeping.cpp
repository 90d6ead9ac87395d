#include "housekeeping.hpp"

#include <ctime>

#include "limits.hpp"
#include "node_cache.hpp"

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
  if (!claim(g_next_tick_ms, now, kTickMs)) return;
  const bool drain = claim(g_next_drain_ms, now, kDrainMs);
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    PlacementHeap& placement = g_heap.placement(i);
    if (drain) {
      drain_transfer(placement, kTickBytes, true);
      placement.arena.decay();
    }
    if (placement.extents.dirty().value != 0) placement.extents.purge(kTickBytes);
  }
  if (drain) sample_limits();
}

}  // namespace numaheap::alloc

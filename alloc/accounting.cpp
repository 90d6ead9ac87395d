#include "accounting.hpp"

#include <ctime>

#include "limits.hpp"
#include "node_cache.hpp"
#include "numaheap/statistics.hpp"
#include "slow_path.hpp"

namespace numaheap {

namespace alloc {

std::atomic<int64_t> g_published_live{0};

namespace {

std::atomic<int64_t> g_peak{0};
std::atomic<int64_t> g_peak_time{0};

void keep_peak(int64_t live) noexcept {
  int64_t peak = g_peak.load(std::memory_order_relaxed);
  while (live > peak) {
    if (g_peak.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
      timespec now{};
      clock_gettime(CLOCK_REALTIME_COARSE, &now);
      g_peak_time.store(now.tv_sec, std::memory_order_relaxed);
    }
  }
}

/// Live bytes that the thread has not published: exact, as only the thread itself changes them.
int64_t unpublished_live(const ThreadState& thread) noexcept {
  int64_t total = 0;
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    const HeapCache* cache = thread.caches[i].load(std::memory_order_relaxed);
    if (cache == nullptr) continue;
    total += cache->unpublished;
    for_each_used_class(*cache, [&](detail::SizeClass c) {
      const auto moved =
          static_cast<int64_t>(bin_count(cache->bins[c])) - cache->books[c].settled_count;
      total -= moved * static_cast<int64_t>(detail::kClassSizes[c]);
    });
  }
  return total;
}

}  // namespace

void settle(HeapCache& cache, detail::SizeClass c) noexcept {
  if constexpr (!kAccounting) return;
  const auto count = static_cast<uint32_t>(bin_count(cache.bins[c]));
  const int64_t moved = int64_t{count} - cache.books[c].settled_count;
  cache.books[c].settled_count = count;
  cache.unpublished -= moved * static_cast<int64_t>(detail::kClassSizes[c]);
}

void publish(HeapCache& cache, bool force) noexcept {
  if constexpr (!kAccounting) return;
  const int64_t moved = cache.unpublished;
  const auto grain = static_cast<int64_t>(kPublishGrain.value);
  if (moved == 0 || (!force && moved < grain && moved > -grain)) return;
  cache.unpublished = 0;
  const int64_t process = g_published_live.fetch_add(moved, std::memory_order_relaxed) + moved;
  const int64_t placement =
      g_heap.placement(cache.placement).published_live.fetch_add(moved, std::memory_order_relaxed) +
      moved;
  if (moved > 0) keep_peak(process);
  live_total_moved(process, cache.placement, placement);
}

}  // namespace alloc

size_t used_memory() noexcept {
  using namespace alloc;
  int64_t total = g_published_live.load(std::memory_order_relaxed);
  if (const ThreadState* thread = t_locals.state; thread != nullptr)
    total += unpublished_live(*thread);
  return total < 0 ? 0 : static_cast<size_t>(total);
}

Peak peak_memory() noexcept {
  using namespace alloc;
  keep_peak(static_cast<int64_t>(used_memory()));
  return {Bytes{static_cast<size_t>(g_peak.load(std::memory_order_relaxed))},
          g_peak_time.load(std::memory_order_relaxed)};
}

}  // namespace numaheap

/// \file
/// How slow paths count: what a cache was filled with and gave back, and the published live totals.
///
/// With NUMAHEAP_ACCOUNTING=OFF nothing is counted and every figure is 0: only to measure what counting costs.

#pragma once

#include "thread_state.hpp"

namespace numaheap::alloc {

#if NUMAHEAP_ACCOUNTING
inline constexpr bool kAccounting = true;
#else
inline constexpr bool kAccounting = false;
#endif

/// Adds to a counter that only the calling thread writes.
inline void add(std::atomic<uint64_t>& counter, uint64_t value) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

/// Notes that a class has books or an array here, so that readers look at it.
inline void mark_used(HeapCache& cache, detail::SizeClass c) noexcept {
  std::atomic<uint64_t>& used = cache.used_classes[c / 64];
  const uint64_t bits = used.load(std::memory_order_relaxed);
  const uint64_t bit = uint64_t{1} << (c % 64);
  if ((bits & bit) == 0) used.store(bits | bit, std::memory_order_relaxed);
}

inline void count_filled(HeapCache& cache, detail::SizeClass c, size_t blocks) noexcept {
  if constexpr (!kAccounting) return;
  mark_used(cache, c);
  add(cache.books[c].filled, blocks);
  cache.unpublished += static_cast<int64_t>(blocks * detail::kClassSizes[c]);
}

inline void count_returned(HeapCache& cache, detail::SizeClass c, size_t blocks) noexcept {
  if constexpr (!kAccounting) return;
  mark_used(cache, c);
  add(cache.books[c].returned, blocks);
  cache.unpublished -= static_cast<int64_t>(blocks * detail::kClassSizes[c]);
}

inline void count_direct_taken(HeapCache& cache, size_t bytes) noexcept {
  if constexpr (!kAccounting) return;
  add(cache.direct_taken, 1);
  add(cache.direct_taken_bytes, bytes);
  cache.unpublished += static_cast<int64_t>(bytes);
}

inline void count_direct_given(HeapCache& cache, size_t bytes) noexcept {
  if constexpr (!kAccounting) return;
  add(cache.direct_given, 1);
  add(cache.direct_given_bytes, bytes);
  cache.unpublished -= static_cast<int64_t>(bytes);
}

/// Bytes that ever flowed through a cache: a reader's view, right whenever the owner's sequence is even.
struct Flow {
  uint64_t filled = 0;
  uint64_t returned = 0;
  uint64_t cached = 0;
};
Flow flow_of(const HeapCache& cache) noexcept;

/// The process' live total as published.
extern std::atomic<int64_t> g_published_live;

/// Called after a published total moved: keeps the peak and watches the limits.
void live_total_moved(int64_t process_live, unsigned placement, int64_t placement_live) noexcept;

}  // namespace numaheap::alloc

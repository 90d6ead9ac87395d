/// \file
/// ThreadState: what one thread has of the heap: a HeapCache per placement that it dealt with, and its books.
///
/// A state outlives its thread: at exit it is emptied and handed to the next thread that starts, with its counters
/// going on, so nothing is ever folded and a reader needs no lock. Only the owning thread writes; what statistics
/// read is atomic (relaxed). `sequence` is odd while a slow path changes several of these at once: a reader reads
/// again then (a seqlock), and a forked child abandons what it finds odd.

#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "numaheap/detail/thread_cache.hpp"
#include "numaheap/numa/address_space.hpp"

namespace numaheap::alloc {

struct ThreadState;

/// The books of one class in one cache. Monotone but for the owner's own marks.
struct ClassBooks {
  std::atomic<uint64_t> filled{
      0};  ///< Blocks ever taken into the cache from the node's caches and arena.
  std::atomic<uint64_t> returned{0};  ///< Blocks ever given back to them.
  uint32_t settled_count = 0;         ///< The bin's count when the live total was last settled.
  uint16_t slots = 0;                 ///< Of the bin's array; 0 before its first use.
  uint16_t next_fill = 0;   ///< How many blocks to ask the arena for at the next miss: doubles.
  uint32_t seen_count = 0;  ///< Ageing: the bin's count at the last tick.
  uint64_t seen_flow = 0;   ///< Ageing: filled + returned at the last tick.
};

struct HeapCache : detail::NodeCache {
  ThreadState* thread;
  unsigned placement;
  int64_t unpublished;                    ///< Live bytes not yet in the heap's published totals.
  std::atomic<uint64_t> used_classes[2];  ///< Bit c: class c has books or an array here.
  std::atomic<uint64_t> direct_taken_bytes;
  std::atomic<uint64_t> direct_given_bytes;
  std::atomic<uint64_t> direct_taken;
  std::atomic<uint64_t> direct_given;
  std::atomic<uint64_t>
      freed_here_bytes;  ///< Sent home here while another placement was the thread's home.
  ClassBooks books[detail::kClassCount];
};
static_assert(detail::kClassCount <= 128);

struct ThreadState {
  static constexpr uint32_t kFollowCpu = ~0u;

  std::atomic<uint32_t> sequence{0};
  std::atomic<uint32_t> requested_home{
      0};  ///< Set by others: a placement + 1, or kFollowCpu. 0: nothing.
  std::atomic<pthread_t> thread{0};
  std::atomic<int> thread_id{0};  ///< 0: no thread has it.
  std::atomic<unsigned> home_placement{0};
  std::atomic<uint64_t> earlier_filled{0};  ///< Flow of earlier owners, bytes.
  std::atomic<uint64_t> earlier_returned{0};
  std::atomic<HeapCache*> caches[numa::AddressSpace::kMaxRanges] = {};
  HeapCache* home = nullptr;
  size_t capacity_bytes = 0;          ///< What the bins of all its caches may hold together.
  detail::SizeClass next_victim = 0;  ///< Whose unused capacity is looked at next.
  unsigned until_tick = 0;            ///< Slow paths until the next look at the clock.
  int64_t last_aged_ms = 0;
  unsigned flushes_done = 0;     ///< Of those that were asked of all threads.
  unsigned away = 0;             ///< Slow paths in a row that found the thread on another node.
  bool placement_fixed = false;  ///< The home follows a role, not the CPU.
  ThreadState* next_registered = nullptr;  ///< All states ever made; written once.
  ThreadState* next_free = nullptr;        ///< Guarded by the registry's lock.
};

/// A block count that is right whenever `sequence` is even; 0 if base and top do not belong together.
inline size_t bin_count(const detail::Bin& bin) noexcept {
  void** const base = bin.base.load(std::memory_order_relaxed);
  void** const top = bin.top.load(std::memory_order_relaxed);
  return static_cast<size_t>(top - base);
}

/// Calls `f(class)` for each class whose bin was ever used.
template <class F>
inline void for_each_used_class(const HeapCache& cache, F f) {
  for (unsigned word = 0; word < 2; ++word) {
    for (uint64_t bits = cache.used_classes[word].load(std::memory_order_relaxed); bits != 0;
         bits &= bits - 1) {
      f(static_cast<detail::SizeClass>(word * 64 + static_cast<unsigned>(__builtin_ctzll(bits))));
    }
  }
}

}  // namespace numaheap::alloc

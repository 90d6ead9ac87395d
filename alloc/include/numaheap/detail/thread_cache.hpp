/// \file
/// The part of a thread's cache that callers inline: per size class a stack of pointers.
///
/// A thread has one NodeCache per placement it dealt with. malloc pops from the one of its home node; free pushes to
/// the one of the block's own node, so a block is never handed out on a node it does not belong to. Those of other
/// nodes are shallow: they are the outgoing buffers.
///
/// Invariants of a bin: base[-1] is null, base <= top <= limit, the blocks are base[0..top-base). Only the owning
/// thread writes; others may read `top` and `base` for statistics (relaxed: a figure, nothing is published by it).
/// An empty bin is seen by its null guard, so a pop is one load and one test.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "numaheap/base/api.h"
#include "numaheap/detail/size_class.hpp"

namespace numaheap::detail {

// In sanitizer builds a free block is poisoned, as AddressSanitizer does not see what is inside jemalloc's extents.
#if defined(__SANITIZE_ADDRESS__)
extern "C" void __asan_poison_memory_region(const volatile void* start, size_t bytes);
extern "C" void __asan_unpoison_memory_region(const volatile void* start, size_t bytes);
[[gnu::always_inline]] inline void poison(void* block, size_t bytes) {
  __asan_poison_memory_region(block, bytes);
}
[[gnu::always_inline]] inline void unpoison(void* block, size_t bytes) {
  __asan_unpoison_memory_region(block, bytes);
}
#else
[[gnu::always_inline]] inline void poison(void*, size_t) {}
[[gnu::always_inline]] inline void unpoison(void*, size_t) {}
#endif

/// What a bin points at that has no array yet: the null guard, and where its first slot would be.
extern NH_API void* g_no_slots[2];

struct Bin {
  std::atomic<void**> top{&g_no_slots[1]};  ///< Next free slot; the newest block is top[-1].
  void** limit =
      &g_no_slots[1];  ///< Where the bin is full. Equal to base where nothing may be cached.
  uintptr_t alignment_mask = 0;  ///< A block's address has none of these bits.
  std::atomic<void**> base{&g_no_slots[1]};
};
static_assert(sizeof(Bin) == 32);

struct alignas(64) NodeCache {
  uintptr_t range_start = 0;  ///< First address of the placement's range.
  uintptr_t range_bytes =
      0;  ///< Opened so far, as last seen; 0 in the cache of a thread before its first allocation.
  const std::atomic<SizeClass>* page_map = nullptr;  ///< One byte per page from range_start on.
  Bin bins[kClassCount];
};

/// Which range lies on which node; written once, at the heap's start.
struct RangeTable {
  uintptr_t base = 0;
  unsigned span_shift = 63;
  unsigned count = 0;  ///< 0 before the start, so that no address is found.
  unsigned node[66] = {};
};

extern "C" {
extern NH_API RangeTable nh_ranges_abi1;

/// The calling thread's home cache; one that is always empty and always full before its first allocation. The name
/// carries the ABI's version: a caller that inlined another layout does not link.
extern NH_API __thread NodeCache* nh_home_cache_abi1 __attribute__((tls_model("initial-exec")));
}

/// The newest block of the home cache's bin, or what `slow()` says.
template <class Slow>
[[gnu::always_inline]] inline void* pop_or(SizeClass c, Slow slow) noexcept {
  Bin& bin = nh_home_cache_abi1->bins[c];
  void** top = bin.top.load(std::memory_order_relaxed);
  void* block = top[-1];
  if (__builtin_expect(block != nullptr, 1)) {
    unpoison(block, kClassSizes[c]);
    bin.top.store(top - 1, std::memory_order_relaxed);
    return block;
  }
  return slow();
}

/// Pushes a block of the home node; anything else goes to `slow(block)`.
[[gnu::always_inline]] inline void push_or(void* block, SizeClass c,
                                           void (*slow)(void*) noexcept) noexcept {
  NodeCache* home = nh_home_cache_abi1;
  Bin& bin = home->bins[c];
  void** top = bin.top.load(std::memory_order_relaxed);
  if (__builtin_expect(reinterpret_cast<uintptr_t>(block) - home->range_start < home->range_bytes &&
                           top != bin.limit,
                       1)) {
    poison(block, kClassSizes[c]);
    *top = block;
    bin.top.store(top + 1, std::memory_order_relaxed);
    return;
  }
  slow(block);
}

}  // namespace numaheap::detail

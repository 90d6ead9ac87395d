/// \file
/// malloc, free and malloc_usable_size as far as they go without a call: for the preload object and the C++ face.

#pragma once

#include "numaheap/detail/thread_cache.hpp"

namespace numaheap::detail {

extern "C" {
/// (size + 7) / 8 -> class, up to kMaxSmall.
extern NH_API const std::array<SizeClass, kMaxSmall / 8 + 1> nh_class_table_abi1;
}

void* allocate_slow(size_t size) noexcept;        ///< Above kMaxSmall.
void* refill_and_allocate(size_t size) noexcept;  ///< The bin is empty.
void* refill_and_allocate_aligned(size_t alignment, size_t size) noexcept;
void deallocate_slow(
    void* block) noexcept;  ///< Null, another node's, not cacheable, full, misaligned.
size_t usable_size_slow(const void* block) noexcept;

[[gnu::always_inline]] inline void* fast_allocate(size_t size) noexcept {
  if (__builtin_expect(size <= kMaxSmall, 1))
    return pop_or(nh_class_table_abi1[(size + 7) >> 3],
                  [=]() noexcept { return refill_and_allocate(size); });
  return allocate_slow(size);
}

/// \pre alignment is a power of two.
[[gnu::always_inline]] inline void* fast_allocate_aligned(size_t alignment, size_t size) noexcept {
  if (__builtin_expect(size <= kMaxSmall && alignment <= kPage, 1)) {
    const SizeClass c = nh_class_table_abi1[(size + 7) >> 3];
    return pop_or(kAlignedClasses[static_cast<unsigned>(__builtin_ctzll(alignment))][c],
                  [=]() noexcept { return refill_and_allocate_aligned(alignment, size); });
  }
  return refill_and_allocate_aligned(alignment, size);
}

[[gnu::always_inline]] inline void fast_deallocate(void* block) noexcept {
  NodeCache* home = nh_home_cache_abi1;
  const uintptr_t offset = reinterpret_cast<uintptr_t>(block) - home->range_start;
  if (__builtin_expect(offset < home->range_bytes, 1)) {
    // relaxed: the byte was written before the block was handed out, and the pointer came here by way of that.
    const SizeClass c = home->page_map[offset >> kPageShift].load(std::memory_order_relaxed);
    Bin& bin = home->bins[c];
    void** top = bin.top.load(std::memory_order_relaxed);
    if (__builtin_expect(
            top != bin.limit && (reinterpret_cast<uintptr_t>(block) & bin.alignment_mask) == 0,
            1)) {
      poison(block, kClassSizes[c]);
      *top = block;
      bin.top.store(top + 1, std::memory_order_relaxed);
      return;
    }
  }
  deallocate_slow(block);
}

[[gnu::always_inline]] inline size_t fast_usable_size(const void* block) noexcept {
  const NodeCache* home = nh_home_cache_abi1;
  const uintptr_t offset = reinterpret_cast<uintptr_t>(block) - home->range_start;
  if (__builtin_expect(offset < home->range_bytes, 1)) {
    const SizeClass c = home->page_map[offset >> kPageShift].load(std::memory_order_relaxed);
    if (__builtin_expect(c >= kFirstClass, 1)) return kClassSizes[c];
  }
  return usable_size_slow(block);
}

}  // namespace numaheap::detail

/// \file
/// Size classes by jemalloc's numbering: bins share slabs, extent classes are blocks of whole pages. They are the heap's
/// own classes (numaheap/detail/size_class.hpp), and go on beyond those that caches hold, four to a doubling.

#pragma once

#include <algorithm>
#include <cstddef>

#include "numaheap/detail/size_class.hpp"

namespace numaheap::preload {

inline constexpr size_t kPage = detail::kPage;

inline constexpr unsigned kBins = detail::class_of(detail::kMaxSmall) - detail::kFirstClass + 1u;
inline constexpr unsigned kCachedClasses = detail::kClassCount - detail::kFirstClass;

/// The largest block of all; larger requests are refused.
inline constexpr size_t kLargestClass = size_t{7} << 60;
inline constexpr size_t kSmallestExtentClass =
    detail::kClassSizes[detail::class_of(detail::kMaxSmall) + 1];
inline constexpr unsigned kExtentClasses = 196;

/// \pre bin < kBins.
constexpr size_t bin_bytes(size_t bin) { return detail::kClassSizes[detail::kFirstClass + bin]; }

/// \pre extent < kExtentClasses.
constexpr size_t extent_class_bytes(size_t extent) {
  if (extent == 0) return kSmallestExtentClass;
  const size_t base = kSmallestExtentClass << (extent - 1) / 4;
  return base + base / 4 * ((extent - 1) % 4 + 1);
}

/// The usable size of a block for `size` bytes; 0 if there is none such.
/// \pre alignment is a power of two.
constexpr size_t class_bytes(size_t size, size_t alignment) {
  if (size > kLargestClass || alignment > kLargestClass) return 0;
  const detail::SizeClass c = detail::class_of(size, alignment);
  if (c != detail::kDirectBlock) return detail::kClassSizes[c];
  // Blocks aligned beyond a page, and blocks beyond the caches, have extents of their own.
  const size_t bytes = std::max(size, kSmallestExtentClass);
  const size_t step = size_t{1} << (61 - __builtin_clzll(bytes - 1));
  return (bytes + step - 1) & ~(step - 1);
}

static_assert(bin_bytes(0) == 8 && bin_bytes(kBins - 1) == detail::kMaxSmall);
static_assert(extent_class_bytes(kExtentClasses - 1) == kLargestClass);
static_assert([] {
  for (size_t i = 0; i < kExtentClasses; ++i) {
    if (class_bytes(extent_class_bytes(i), 1) != extent_class_bytes(i)) return false;
    if (i + 1 < kExtentClasses &&
        class_bytes(extent_class_bytes(i) + 1, 1) != extent_class_bytes(i + 1))
      return false;
  }
  return class_bytes(kLargestClass + 1, 1) == 0;
}());

}  // namespace numaheap::preload

/// \file
/// Size classes: one function maps (size, alignment) to a class for allocation and for sized free alike, and a block
/// never keeps a class that its size would not derive.
///
/// The classes are jemalloc's (quantum 16, four to a doubling), so that a block of ours fills its slab's slot; the
/// heap checks that at start. The three codes below kFirstClass are what the page map says of pages that hold no
/// cacheable block. Everything here is part of the ABI, as callers inline it.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace numaheap::detail {

using SizeClass = uint8_t;

inline constexpr SizeClass kNoBlock = 0;      ///< Nothing of ours starts here.
inline constexpr SizeClass kInterior = 1;     ///< Inside a block that starts on an earlier page.
inline constexpr SizeClass kDirectBlock = 2;  ///< A block that jemalloc knows and no cache holds.
inline constexpr SizeClass kFirstClass = 3;

inline constexpr size_t kMinBlock = 8;
inline constexpr size_t kMaxSmall = 14336;             ///< The largest class that shares a slab.
inline constexpr size_t kMaxCached = size_t{4} << 20;  ///< The largest class that caches hold.
inline constexpr size_t kPage = 4096;
inline constexpr unsigned kPageShift = 12;

/// The class of a size above 128 by its doubling: four steps each.
constexpr SizeClass class_in_doubling(size_t size) {
  const unsigned log = 63u - static_cast<unsigned>(__builtin_clzll(size - 1));
  const size_t step = (size - 1 - (size_t{1} << log)) >> (log - 2);
  return static_cast<SizeClass>(kFirstClass + 9 + (log - 7) * 4 + step);
}

/// \pre size <= kMaxCached.
constexpr SizeClass class_of(size_t size) {
  if (size <= 8) return kFirstClass;
  if (size <= 128) return static_cast<SizeClass>(kFirstClass + (size + 15) / 16);
  return class_in_doubling(size);
}

inline constexpr unsigned kClassCount = class_of(kMaxCached) + 1u;

constexpr size_t size_of_class(SizeClass c) {
  if (c < kFirstClass) return 0;
  const unsigned i = c - kFirstClass;
  if (i == 0) return 8;
  if (i <= 8) return size_t{i} * 16;
  const unsigned doubling = (i - 9) / 4;
  const unsigned step = (i - 9) % 4;
  return (size_t{128} << doubling) + ((size_t{32} << doubling) * (step + 1));
}

/// What every block of a class is aligned to, up to a page: slabs and large blocks start on pages.
constexpr size_t alignment_of_class(SizeClass c) {
  const size_t size = size_of_class(c);
  const size_t lowest_bit = size & (~size + 1);
  return lowest_bit < kPage ? lowest_bit : kPage;
}

inline constexpr auto kClassSizes = [] {
  std::array<uint32_t, kClassCount> sizes{};
  for (unsigned c = 0; c < kClassCount; ++c)
    sizes[c] = static_cast<uint32_t>(size_of_class(static_cast<SizeClass>(c)));
  return sizes;
}();

/// [log2 of an alignment][a class] -> the first class from there on whose blocks have that alignment.
inline constexpr auto kAlignedClasses = [] {
  std::array<std::array<SizeClass, kClassCount>, kPageShift + 1> classes{};
  for (unsigned log = 0; log <= kPageShift; ++log) {
    SizeClass aligned = kClassCount - 1;
    for (unsigned c = kClassCount; c-- > kFirstClass;) {
      if (alignment_of_class(static_cast<SizeClass>(c)) >= size_t{1} << log)
        aligned = static_cast<SizeClass>(c);
      classes[log][c] = aligned;
    }
  }
  return classes;
}();

/// The class whose blocks hold `size` bytes at `alignment`, or kDirectBlock if no class does.
/// \pre alignment is a power of two.
constexpr SizeClass class_of(size_t size, size_t alignment) {
  if (size > kMaxCached || alignment > kPage) return kDirectBlock;
  return kAlignedClasses[static_cast<unsigned>(__builtin_ctzll(alignment))][class_of(size)];
}

static_assert(size_of_class(kFirstClass) == 8 && size_of_class(class_of(9)) == 16);
static_assert(size_of_class(class_of(128)) == 128 && size_of_class(class_of(129)) == 160);
static_assert(size_of_class(class_of(kMaxSmall)) == kMaxSmall &&
              size_of_class(class_of(kMaxSmall + 1)) == 16384);
static_assert(size_of_class(class_of(kMaxCached)) == kMaxCached && kClassCount == 72);
static_assert([] {
  for (unsigned c = kFirstClass; c < kClassCount; ++c) {
    if (class_of(kClassSizes[c]) != c || (c > kFirstClass && class_of(kClassSizes[c - 1] + 1) != c))
      return false;
  }
  return true;
}());
static_assert(class_of(200, 64) == class_of(256) && class_of(8, 4096) == class_of(4096) &&
              class_of(100, 1) == class_of(100));
static_assert(class_of(kMaxCached, kPage) == class_of(kMaxCached));

}  // namespace numaheap::detail

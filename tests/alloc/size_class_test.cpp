// Size classes: the table, what aligned requests get, what a sized free derives, and jemalloc's own idea of them.
#include "numaheap/detail/size_class.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "alloc/jemalloc/private_jemalloc.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/detail/fast_path.hpp"

namespace numaheap::detail {
namespace {

/// The block sizes by their rule, written down independently: 8, steps of 16 up to 128, then four to a doubling.
std::vector<size_t> block_sizes() {
  std::vector<size_t> sizes = {8};
  for (size_t size = 16; size <= 128; size += 16) sizes.push_back(size);
  for (size_t doubling = 128; sizes.back() < kMaxCached; doubling *= 2) {
    for (size_t step = 1; step <= 4; ++step) sizes.push_back(doubling + step * doubling / 4);
  }
  return sizes;
}

/// Every size up to the largest small block; beyond it, what lies around each boundary and some between.
template <class F>
void for_each_size(F f) {
  for (size_t size = 0; size <= kMaxSmall; ++size) f(size);
  for (SizeClass c = class_of(kMaxSmall) + 1; c < kClassCount; ++c) {
    const size_t below = kClassSizes[c - 1];
    const size_t size = kClassSizes[c];
    for (size_t n : {below + 1, below + 2, (below + size) / 2, size - 1, size}) f(n);
  }
}

TEST(SizeClass, TheTableIsTheRule) {
  const std::vector<size_t> sizes = block_sizes();
  ASSERT_EQ(sizes.size(), kClassCount - kFirstClass);
  for (size_t i = 0; i < sizes.size(); ++i) EXPECT_EQ(kClassSizes[kFirstClass + i], sizes[i]);
  for (unsigned c = 0; c < kFirstClass; ++c) EXPECT_EQ(kClassSizes[c], 0u);
}

TEST(SizeClass, ARequestGetsTheSmallestBlockThatHoldsIt) {
  for_each_size([](size_t size) {
    const SizeClass c = class_of(size);
    ASSERT_GE(c, kFirstClass);
    ASSERT_GE(kClassSizes[c], size);
    ASSERT_TRUE(c == kFirstClass || kClassSizes[c - 1] < size);
  });
}

TEST(SizeClass, TheInlineTableSaysTheSame) {
  for (size_t size = 0; size <= kMaxSmall; ++size)
    ASSERT_EQ(nh_class_table_abi1[(size + 7) >> 3], class_of(size)) << size;
}

TEST(SizeClass, AnAlignedRequestGetsTheSmallestClassWhoseBlocksAllHaveThatAlignment) {
  for (size_t alignment = 1; alignment <= kPage; alignment *= 2) {
    for_each_size([&](size_t size) {
      const SizeClass c = class_of(size, alignment);
      ASSERT_GE(c, kFirstClass);
      ASSERT_GE(kClassSizes[c], size);
      ASSERT_EQ(kClassSizes[c] % alignment, 0u) << size << " at " << alignment;
      for (SizeClass smaller = kFirstClass; smaller < c; ++smaller) {
        ASSERT_TRUE(kClassSizes[smaller] < size || kClassSizes[smaller] % alignment != 0)
            << size << " at " << alignment;
      }
    });
  }
}

TEST(SizeClass, WhatNoClassServesIsADirectBlock) {
  EXPECT_EQ(class_of(kMaxCached + 1, 1), kDirectBlock);
  EXPECT_EQ(class_of(~size_t{0} >> 1, 1), kDirectBlock);
  EXPECT_EQ(class_of(1, 2 * kPage), kDirectBlock);
  EXPECT_EQ(class_of(0, size_t{1} << 46), kDirectBlock);
}

TEST(SizeClass, ASizedFreeDerivesTheClassFromTheSizeAskedForAndFromTheUsableSize) {
  for (size_t alignment = 1; alignment <= kPage; alignment *= 2) {
    for_each_size([&](size_t size) {
      const SizeClass c = class_of(size, alignment);
      ASSERT_EQ(class_of(kClassSizes[c], alignment), c);
      ASSERT_EQ(class_of(kClassSizes[c]), c);
    });
  }
}

TEST(SizeClass, JemallocHasTheSameClasses) {
  deallocate(allocate(1));  // boots it
  for_each_size([](size_t size) {
    ASSERT_TRUE(size == 0 || nh_je_nallocx(size, 0) == kClassSizes[class_of(size)]) << size;
  });
}

TEST(SizeClass, EveryBlockHasTheAlignmentOfItsClass) {
  for (SizeClass c = kFirstClass; c < kClassCount; ++c) {
    std::vector<void*> blocks(kClassSizes[c] <= kMaxSmall ? 300 : 3);
    ASSERT_EQ(allocate_batch(kClassSizes[c], blocks), blocks.size());
    for (void* block : blocks) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % alignment_of_class(c), 0u) << kClassSizes[c];
      EXPECT_EQ(usable_size(block), kClassSizes[c]);
    }
    deallocate_batch(blocks);
  }
}

}  // namespace
}  // namespace numaheap::detail

// MetaPool: memory for the heap's own structures.
#include "alloc/meta_pool.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "numa/child_process.hpp"
#include "stress.hpp"

namespace numaheap::alloc {
namespace {

using tests::in_child;
using tests::repeated;

bool is_filled_with(const void* block, size_t bytes, unsigned char value) {
  const auto* p = static_cast<const unsigned char*>(block);
  for (size_t i = 0; i < bytes; ++i) {
    if (p[i] != value) return false;
  }
  return true;
}

TEST(MetaPool, CountsInPowersOfTwo) {
  MetaPool pool;
  void* small = pool.allocate(1);
  EXPECT_EQ(pool.in_use(), Bytes{64});
  void* odd = pool.allocate(65);
  EXPECT_EQ(pool.in_use(), Bytes{64 + 128});
  void* largest = pool.allocate(MetaPool::kLargest);
  EXPECT_EQ(pool.in_use(), Bytes{64 + 128} + KiB(64));
  pool.deallocate(largest, MetaPool::kLargest);
  pool.deallocate(odd, 65);
  pool.deallocate(small, 1);
  EXPECT_EQ(pool.in_use(), Bytes{0});
}

TEST(MetaPool, FreshBlocksAreZeroAndAlignedToACacheLine) {
  MetaPool pool;
  for (size_t bytes : {64u, 100u, 4096u, 5000u, 65536u}) {
    for (int i = 0; i < 3; ++i) {
      void* block = pool.allocate(bytes);
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0u);
      EXPECT_TRUE(
          is_filled_with(static_cast<char*>(block) + sizeof(void*), bytes - sizeof(void*), 0));
    }
  }
}

TEST(MetaPool, HandsABlockOutAgainAfterItCameBack) {
  MetaPool pool;
  void* block = pool.allocate(1000);
  pool.deallocate(block, 1000);
  EXPECT_EQ(pool.allocate(600), block);  // of the same power of two
}

TEST(MetaPool, BlocksNeverOverlap) {
  MetaPool pool;
  std::mt19937 random(1);
  struct Block {
    void* start;
    size_t bytes;
    unsigned char value;
  };
  std::vector<Block> blocks;
  size_t rounded = 0;
  const auto rounded_up = [](size_t bytes) {
    size_t size = 64;
    while (size < bytes) size *= 2;
    return size;
  };
  for (size_t i = 0; i < repeated(40000); ++i) {
    if (blocks.size() < 200 && random() % 2 == 0) {
      const size_t bytes = 1 + (random() % MetaPool::kLargest >> random() % 11);
      void* start = pool.allocate(bytes);
      ASSERT_NE(start, nullptr);
      const auto value = static_cast<unsigned char>(random());
      memset(start, value, bytes);
      blocks.push_back({start, bytes, value});
      rounded += rounded_up(bytes);
    } else if (!blocks.empty()) {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      const Block block = blocks.back();
      blocks.pop_back();
      ASSERT_TRUE(is_filled_with(block.start, block.bytes, block.value));
      pool.deallocate(block.start, block.bytes);
      rounded -= rounded_up(block.bytes);
    }
    ASSERT_EQ(pool.in_use(), Bytes{rounded});
  }
}

TEST(MetaPool, ServesManyThreadsAtOnce) {
  MetaPool pool;
  std::vector<std::thread> threads;
  for (unsigned char id = 1; id <= 4; ++id) {
    threads.emplace_back([&pool, id] {
      std::mt19937 random(id);
      for (size_t i = 0; i < repeated(4000); ++i) {
        const size_t bytes = 1 + random() % 3000;
        void* block = pool.allocate(bytes);
        memset(block, id, bytes);
        ASSERT_TRUE(is_filled_with(block, bytes, id));
        pool.deallocate(block, bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.in_use(), Bytes{0});
}

TEST(MetaPool, SaysNoWhereTheKernelRefusesMemoryAndServesWhatComesBack) {
  static MetaPool pool;
  EXPECT_EQ(in_child([] {
              NH_CHILD_EXPECT(tests::refuse_system_calls({{SYS_mmap, ENOMEM}}));
              NH_CHILD_EXPECT(pool.allocate(64) == nullptr);
              NH_CHILD_EXPECT(pool.in_use() == Bytes{0});
            }),
            0);
  EXPECT_EQ(in_child([] {
              void* first = pool.allocate(4096);
              NH_CHILD_EXPECT(first != nullptr);
              NH_CHILD_EXPECT(tests::refuse_system_calls({{SYS_mmap, ENOMEM}}));
              Bytes used = pool.in_use();
              while (pool.allocate(4096) != nullptr) used += KiB(4);
              NH_CHILD_EXPECT(pool.in_use() == used);
              NH_CHILD_EXPECT(used == KiB(256));  // the whole chunk was handed out
              pool.deallocate(first, 4096);
              NH_CHILD_EXPECT(pool.allocate(4096) == first);
            }),
            0);
}

}  // namespace
}  // namespace numaheap::alloc

// TransferCache: batches that change hands, its bound, and every block exactly once under many threads.
#include "alloc/transfer_cache.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "numa/child_process.hpp"
#include "stress.hpp"

namespace numaheap::alloc {
namespace {

using detail::class_of;
using detail::kClassCount;
using detail::kClassSizes;
using detail::kFirstClass;
using detail::SizeClass;
using tests::in_child;
using tests::repeated;

struct Cache : TransferCache {
  explicit Cache(Bytes most) { init(most, &pool); }
  MetaPool pool;
};

std::unique_ptr<Cache> make(Bytes bound) { return std::make_unique<Cache>(bound); }

/// Pointers that nobody follows: the cache does not look at blocks.
std::vector<void*> tokens(size_t count, uintptr_t first = 1) {
  std::vector<void*> blocks(count);
  for (size_t i = 0; i < count; ++i) blocks[i] = reinterpret_cast<void*>(first + i);
  return blocks;
}

TEST(TransferCache, ABatchIsWhatAMagazineHoldsAndNoMoreThan64KiB) {
  for (SizeClass c = kFirstClass; c < kClassCount; ++c) {
    EXPECT_GE(batch_of(c), 1u);
    EXPECT_LE(batch_of(c), kMagazineBlocks);
    if (batch_of(c) > 1) {
      EXPECT_LE(batch_of(c) * kClassSizes[c], size_t{64} << 10);
    }
  }
}

TEST(TransferCache, GivesBackWhatItWasGivenNewestBatchFirst) {
  const auto cache = make(MiB(32));
  const SizeClass c = class_of(64);
  const auto first = tokens(batch_of(c));
  const auto second = tokens(7, 1000);
  ASSERT_TRUE(cache->give(c, first.data(), first.size()));
  ASSERT_TRUE(cache->give(c, second.data(), second.size()));
  EXPECT_EQ(cache->held(), Bytes{64 * (first.size() + 7)});
  std::vector<void*> out(kMagazineBlocks);
  ASSERT_EQ(cache->take(c, out.data()), 7u);
  EXPECT_TRUE(std::equal(second.begin(), second.end(), out.begin()));
  ASSERT_EQ(cache->take(c, out.data()), first.size());
  EXPECT_TRUE(std::equal(first.begin(), first.end(), out.begin()));
  EXPECT_EQ(cache->take(c, out.data()), 0u);
  EXPECT_EQ(cache->held(), Bytes{0});
}

TEST(TransferCache, KeepsTheClassesApart) {
  const auto cache = make(MiB(32));
  for (SizeClass c = kFirstClass; c < kClassCount; ++c) {
    void* block = reinterpret_cast<void*>(uintptr_t{c});
    ASSERT_TRUE(cache->give(c, &block, 1));
  }
  for (SizeClass c = kFirstClass; c < kClassCount; ++c) {
    void* out[kMagazineBlocks];
    ASSERT_EQ(cache->take(c, out), 1u);
    EXPECT_EQ(out[0], reinterpret_cast<void*>(uintptr_t{c}));
  }
}

TEST(TransferCache, HoldsUpToItsBoundAndNotAByteMore) {
  const auto cache = make(KiB(64));
  const SizeClass c = class_of(4096);
  const auto blocks = tokens(batch_of(c));
  ASSERT_EQ(blocks.size(), 16u);
  ASSERT_TRUE(cache->give(c, blocks.data(), 15));
  EXPECT_FALSE(cache->give(c, blocks.data(), 2));
  EXPECT_EQ(cache->held(), KiB(60));
  EXPECT_TRUE(cache->give(c, blocks.data(), 1));
  const SizeClass smallest = kFirstClass;
  EXPECT_FALSE(cache->give(smallest, blocks.data(), 1));  // one bound for all classes
  void* out[kMagazineBlocks];
  EXPECT_EQ(cache->take(c, out), 1u);
  EXPECT_TRUE(cache->give(smallest, blocks.data(), 1));
}

TEST(TransferCache, ABoundOfNothingHoldsNothing) {
  const auto cache = make(Bytes{0});
  void* block = &block;
  EXPECT_FALSE(cache->give(kFirstClass, &block, 1));
  EXPECT_EQ(cache->take(kFirstClass, &block), 0u);
}

TEST(TransferCache, RefusesWhenThereAreNoMoreMagazinesAndLosesNothing) {
  static Cache cache(MiB(32));
  EXPECT_EQ(in_child([] {
              const SizeClass c = kFirstClass;
              void* out[kMagazineBlocks] = {};
              NH_CHILD_EXPECT(cache.give(c, out, 1));  // some magazines exist
              NH_CHILD_EXPECT(cache.take(c, out) == 1);
              NH_CHILD_EXPECT(tests::refuse_system_calls({{SYS_mmap, ENOMEM}}));
              while (cache.pool.allocate(MetaPool::kLargest) != nullptr) continue;
              size_t given = 0;
              for (;; ++given) {
                void* block = reinterpret_cast<void*>(given + 1);
                if (!cache.give(c, &block, 1)) break;
              }
              NH_CHILD_EXPECT(given > 1);
              NH_CHILD_EXPECT(cache.held() == Bytes{8 * given});
              for (size_t left = given; left > 0; --left) {
                NH_CHILD_EXPECT(cache.take(c, out) == 1);
                NH_CHILD_EXPECT(out[0] == reinterpret_cast<void*>(left));
              }
              NH_CHILD_EXPECT(cache.take(c, out) == 0);
              for (size_t i = 0; i < given; ++i) NH_CHILD_EXPECT(cache.give(c, out, 1));
              NH_CHILD_EXPECT(!cache.give(c, out, 1));
            }),
            0);
}

TEST(TransferCache, UsesItsMagazinesAgain) {
  const auto cache = make(MiB(1));
  EXPECT_EQ(cache->pool.in_use(), Bytes{0});  // none before the first batch
  void* blocks[kMagazineBlocks] = {};
  for (int i = 0; i < 10000; ++i) {
    ASSERT_TRUE(cache->give(kFirstClass, blocks, kMagazineBlocks));
    ASSERT_EQ(cache->take(kFirstClass, blocks), kMagazineBlocks);
  }
  EXPECT_LE(cache->pool.in_use(), Bytes{MetaPool::kLargest});  // one chunk of them
}

TEST(TransferCache, TellsAClassThatNobodyTouchedSinceTheLastLook) {
  const auto cache = make(MiB(1));
  const SizeClass c = class_of(256);
  EXPECT_FALSE(cache->idle_since_last_look(c));  // nothing there
  void* blocks[kMagazineBlocks] = {};
  ASSERT_TRUE(cache->give(c, blocks, 3));
  EXPECT_FALSE(cache->idle_since_last_look(c));
  EXPECT_TRUE(cache->idle_since_last_look(c));
  ASSERT_TRUE(cache->give(c, blocks, 3));
  ASSERT_EQ(cache->take(c, blocks), 3u);  // as many as before, but touched
  EXPECT_FALSE(cache->idle_since_last_look(c));
  EXPECT_TRUE(cache->idle_since_last_look(c));
}

// Blocks are plain counters: whoever holds one adds to it, so ThreadSanitizer sees whether a hand-over publishes what
// the last holder wrote, and the sums show a block that two held at once, or none.
TEST(TransferCache, EveryBlockHasExactlyOneHolderUnderManyThreads) {
  constexpr unsigned kThreads = 4;
  constexpr size_t kBlocks = 4000;
  const SizeClass classes[] = {class_of(8), class_of(2048), class_of(16384)};
  const auto cache = make(MiB(1));  // small enough that give() is refused at times
  struct Block {
    SizeClass size_class;
    uint64_t held = 0;
  };
  std::vector<Block> blocks(kBlocks);
  std::vector<std::vector<Block*>> owned(kThreads);
  for (size_t i = 0; i < kBlocks; ++i) {
    blocks[i].size_class = classes[i % 3];
    owned[i % kThreads].push_back(&blocks[i]);
  }
  std::vector<uint64_t> adds(kThreads);
  std::vector<std::thread> threads;
  for (unsigned id = 0; id < kThreads; ++id) {
    threads.emplace_back([&, id] {
      std::mt19937 random(id + 1);
      std::vector<Block*>& mine = owned[id];
      for (size_t i = 0; i < repeated(30000); ++i) {
        const SizeClass c = classes[random() % 3];
        void* batch[kMagazineBlocks];
        if (random() % 2 == 0) {
          const size_t count = cache->take(c, batch);
          ASSERT_LE(count, batch_of(c));
          for (size_t j = 0; j < count; ++j) {
            auto* block = static_cast<Block*>(batch[j]);
            ASSERT_EQ(block->size_class, c);
            ++block->held;
            ++adds[id];
            mine.push_back(block);
          }
        } else {
          const size_t most = 1 + random() % batch_of(c);
          const auto of_class = std::partition(
              mine.begin(), mine.end(), [&](Block* block) { return block->size_class != c; });
          const auto count = std::min(most, static_cast<size_t>(mine.end() - of_class));
          std::copy(mine.end() - static_cast<ptrdiff_t>(count), mine.end(), batch);
          if (count != 0 && cache->give(c, batch, count)) mine.resize(mine.size() - count);
        }
        ASSERT_LE(cache->held().value, MiB(2).value);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  std::vector<Block*> all;
  for (const auto& mine : owned) all.insert(all.end(), mine.begin(), mine.end());
  for (SizeClass c : classes) {
    void* batch[kMagazineBlocks];
    while (const size_t count = cache->take(c, batch)) {
      for (size_t i = 0; i < count; ++i) all.push_back(static_cast<Block*>(batch[i]));
    }
  }
  EXPECT_EQ(cache->held(), Bytes{0});
  ASSERT_EQ(all.size(), kBlocks);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
  uint64_t held = 0;
  for (const Block& block : blocks) held += block.held;
  uint64_t added = 0;
  for (uint64_t n : adds) added += n;
  EXPECT_EQ(held, added);
}

}  // namespace
}  // namespace numaheap::alloc

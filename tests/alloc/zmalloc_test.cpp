// zmalloc's meanings, as Redis has them, and the places where they differ on purpose.

#include "numaheap/zmalloc.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "contents.hpp"
#include "numaheap/limits.hpp"
#include "numaheap/statistics.hpp"

namespace numaheap {
namespace {

using tests::holds;

constexpr size_t kTooLarge = SIZE_MAX / 4;  // below Redis' bound, beyond any address space
constexpr size_t kOversize = SIZE_MAX / 2;  // Redis' bound

std::vector<size_t> refused_sizes;

class Zmalloc : public testing::Test {
 protected:
  void SetUp() override {
    refused_sizes.clear();
    zmalloc_set_oom_handler([](size_t size) { refused_sizes.push_back(size); });
  }
  void TearDown() override { zmalloc_set_oom_handler(nullptr); }
};

TEST_F(Zmalloc, ServesSizeZeroAsALong) {
  for (void* block : {zmalloc(0), zcalloc(0), ztrymalloc(0), ztrycalloc(0), zrealloc(nullptr, 0),
                      ztryrealloc(nullptr, 0)}) {
    ASSERT_NE(block, nullptr);
    EXPECT_GE(zmalloc_size(block), sizeof(long));
    zfree(block);
  }
  EXPECT_TRUE(refused_sizes.empty());
}

TEST_F(Zmalloc, ServesAnArrayOfNothingWithoutTheOomHandler) {
  void* block = zcalloc_num(10, 0);
  EXPECT_NE(block, nullptr);
  EXPECT_TRUE(refused_sizes.empty());
  zfree(block);
}

TEST_F(Zmalloc, TakesAnArrayThatOverflowsForOutOfMemory) {
  EXPECT_EQ(zcalloc_num(SIZE_MAX / 2, 3), nullptr);
  EXPECT_EQ(refused_sizes, std::vector<size_t>{SIZE_MAX});
}

TEST_F(Zmalloc, CallsTheOomHandlerWithTheSizeOfEveryPlainForm) {
  for (size_t size : {kTooLarge, kOversize, SIZE_MAX}) {
    size_t usable = 1;
    refused_sizes.clear();
    EXPECT_EQ(zmalloc(size), nullptr);
    EXPECT_EQ(zcalloc(size), nullptr);
    EXPECT_EQ(zmalloc_usable(size, &usable), nullptr);
    EXPECT_EQ(usable, 0u);
    EXPECT_EQ(zcalloc_usable(size, &usable), nullptr);
    EXPECT_EQ(zmalloc_cache_aligned(size), nullptr);
    EXPECT_EQ(zmalloc_no_tcache(size), nullptr);
    EXPECT_EQ(allocatorDefragAlloc(size), nullptr);
    EXPECT_EQ(zmalloc_with_flags(size, 0), nullptr);
    EXPECT_EQ(zrealloc(nullptr, size), nullptr);
    EXPECT_EQ(refused_sizes, std::vector<size_t>(9, size));
  }
}

TEST_F(Zmalloc, NeverCallsTheOomHandlerFromATryForm) {
  for (size_t size : {kTooLarge, kOversize, SIZE_MAX}) {
    size_t usable = 1;
    EXPECT_EQ(ztrymalloc(size), nullptr);
    EXPECT_EQ(ztrycalloc(size), nullptr);
    EXPECT_EQ(ztrymalloc_usable(size, &usable), nullptr);
    EXPECT_EQ(usable, 0u);
    EXPECT_EQ(ztrycalloc_usable(size, nullptr), nullptr);
    EXPECT_EQ(ztryrealloc(nullptr, size), nullptr);
  }
  EXPECT_TRUE(refused_sizes.empty());
}

TEST_F(Zmalloc, KeepsTheOldBlockWhenAResizeFailsHoweverLargeTheSize) {
  for (size_t size : {kTooLarge, kOversize, SIZE_MAX}) {
    void* block = zmalloc(1000);
    std::memset(block, 7, 1000);
    const size_t used = zmalloc_used_memory();
    size_t usable = 1;
    EXPECT_EQ(ztryrealloc(block, size), nullptr);
    EXPECT_EQ(ztryrealloc_usable(block, size, &usable), nullptr);
    EXPECT_EQ(usable, 0u);
    EXPECT_EQ(zrealloc(block, size), nullptr);
    EXPECT_EQ(zrealloc_with_flags(block, size, 0), nullptr);
    EXPECT_EQ(zrealloc_with_flags(block, size, 12), nullptr);
    EXPECT_EQ(zmalloc_used_memory(), used);
    EXPECT_TRUE(holds(block, 1000, 7));
    zfree(block);
  }
}

TEST_F(Zmalloc, FreesOnAResizeToZero) {
  const size_t used = zmalloc_used_memory();
  size_t usable = 1;
  EXPECT_EQ(zrealloc(zmalloc(100), 0), nullptr);
  EXPECT_EQ(ztryrealloc(zmalloc(100), 0), nullptr);
  EXPECT_EQ(zrealloc_usable(zmalloc(100), 0, &usable), nullptr);
  EXPECT_EQ(usable, 0u);
  EXPECT_EQ(zrealloc_with_flags(zmalloc(100), 0, 0), nullptr);
  EXPECT_EQ(zmalloc_used_memory(), used);
  EXPECT_TRUE(refused_sizes.empty());
}

TEST_F(Zmalloc, GivesBackWhatItAllocatedByEveryFree) {
  const size_t used = zmalloc_used_memory();
  size_t usable = 0;
  zfree(zmalloc(100));
  void* block = zmalloc_usable(100, &usable);
  zfree_with_size(block, usable);
  block = zmalloc(100);
  size_t freed = 0;
  zfree_usable(block, &freed);
  EXPECT_EQ(freed, usable);
  zfree_no_tcache(zmalloc_no_tcache(100));
  allocatorDefragFree(allocatorDefragAlloc(100), usable);
  zfree_with_flags(zmalloc_with_flags(100, 0), 0);
  zfree(zmalloc_cache_aligned(100));
  zfree(zstrdup("some text"));
  zfree(nullptr);
  zfree_usable(nullptr, &freed);
  EXPECT_EQ(freed, 0u);
  zfree_with_size(nullptr, 0);
  zfree_with_flags(nullptr, 0);
  EXPECT_EQ(zmalloc_used_memory(), used);
}

TEST_F(Zmalloc, ClearsWhatCallocReturnsThoughItWasUsedBefore) {
  void* used = zmalloc(5000);
  std::memset(used, 0xff, 5000);
  zfree(used);
  size_t usable = 0;
  for (void* block :
       {zcalloc(5000), zcalloc_num(50, 100), ztrycalloc(5000), zcalloc_usable(5000, &usable)}) {
    EXPECT_TRUE(holds(block, 5000, 0));
    std::memset(block, 0xff, 5000);
    zfree(block);
  }
}

TEST_F(Zmalloc, LetsTheCallerUseTheWholeUsableSize) {
  for (size_t size = 1; size < 200000; size = size * 3 / 2 + 1) {
    size_t usable = 0;
    void* block = zmalloc_usable(size, &usable);
    EXPECT_GE(usable, size);
    EXPECT_EQ(usable, zmalloc_size(block));
    EXPECT_EQ(extend_to_usable(block, usable), block);
    std::memset(block, 0x5a, usable);
    zfree(block);
  }
}

TEST_F(Zmalloc, CopiesText) {
  size_t usable = 0;
  char* copy = zstrdup_usable("a text", &usable);
  EXPECT_STREQ(copy, "a text");
  EXPECT_GE(usable, sizeof "a text");
  zfree(copy);
}

TEST_F(Zmalloc, AlignsToACacheLine) {
  for (size_t size : {0u, 1u, 40u, 64u, 100u, 5000u}) {
    void* block = zmalloc_cache_aligned(size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0u);
    zfree(block);
  }
}

constexpr int kZero = 0x40;
constexpr int lg_align(int log) { return log; }
constexpr int arena(int index) { return (index + 1) << 20; }

TEST_F(Zmalloc, HonoursAlignmentAndZeroAmongTheFlags) {
  for (int log : {0, 4, 6, 12, 16}) {
    const size_t alignment = size_t{1} << log;
    void* block = zmalloc_with_flags(3000, lg_align(log) | kZero);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % alignment, 0u);
    EXPECT_TRUE(holds(block, 3000, 0));
    std::memset(block, 7, zmalloc_size(block));
    const size_t old_size = zmalloc_size(block);
    block = zrealloc_with_flags(block, 100000, lg_align(log) | kZero);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % alignment, 0u);
    EXPECT_TRUE(holds(block, old_size, 7));
    EXPECT_TRUE(holds(static_cast<char*>(block) + old_size, 100000 - old_size, 0));
    zfree_with_flags(block, lg_align(log));
  }
}

TEST_F(Zmalloc, AllocatesInTheArenaThatItsFiguresAreReadFrom) {
  Statistics statistics;
  read_statistics(statistics);
  if (statistics.placements == 0) GTEST_SKIP() << "this back end has no placements";
  constexpr size_t kBytes = size_t{16} << 20;
  for (unsigned i = 0; i < statistics.placements; ++i) {
    size_t before = 0;
    size_t after = 0;
    size_t active = 0;
    size_t resident = 0;
    size_t waste = 0;
    ASSERT_EQ(zmalloc_get_allocator_info_by_arena(i, 1, &before, &active, &resident, &waste), 1);
    void* block = zmalloc_with_flags(kBytes, arena(static_cast<int>(i)));
    ASSERT_NE(block, nullptr);
    std::memset(block, 1, kBytes);
    ASSERT_EQ(zmalloc_get_allocator_info_by_arena(i, 1, &after, &active, &resident, &waste), 1);
    EXPECT_GE(after, before + kBytes);
    EXPECT_GE(active, after);
    EXPECT_GE(resident, active);
    EXPECT_EQ(zmalloc_get_frag_smallbins_by_arena(i), waste);
    zfree(block);
  }
}

TEST_F(Zmalloc, HasNoArenaBeyondItsPlacements) {
  size_t figure = 1;
  EXPECT_EQ(zmalloc_get_allocator_info_by_arena(1000, 1, &figure, &figure, &figure, &figure), 0);
  EXPECT_EQ(figure, 0u);
  EXPECT_EQ(zmalloc_get_frag_smallbins_by_arena(1000), 0u);
  EXPECT_EQ(zmalloc_with_flags(100, arena(1000)), nullptr);
  EXPECT_EQ(refused_sizes, std::vector<size_t>{100});
}

TEST_F(Zmalloc, CountsUsedMemoryByUsableSizeExactlyInOneThread) {
  const size_t before = zmalloc_used_memory();
  std::vector<void*> blocks(1000);
  size_t sum = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    size_t usable = 0;
    blocks[i] = zmalloc_usable(i * 37, &usable);
    sum += usable;
  }
  EXPECT_EQ(zmalloc_used_memory(), before + sum);
  for (void* block : blocks) zfree(block);
  EXPECT_EQ(zmalloc_used_memory(), before);
}

TEST_F(Zmalloc, CountsWhatAnotherThreadFreedOnceThatHasEnded) {
  const size_t before = zmalloc_used_memory();
  std::vector<void*> blocks(1000);
  for (void*& block : blocks) block = zmalloc(100);
  std::thread([&blocks] {
    for (void* block : blocks) zfree(block);
  }).join();
  EXPECT_EQ(zmalloc_used_memory(), before);
}

TEST_F(Zmalloc, RemembersThePeakAndItsTime) {
  constexpr size_t kBytes = size_t{64} << 20;
  const size_t before = zmalloc_used_memory();
  const time_t start = time(nullptr);
  zfree(zmalloc(kBytes));
  zmalloc_used_memory();
  EXPECT_GE(zmalloc_get_peak_memory(), before + kBytes);
  EXPECT_GE(zmalloc_get_peak_memory_time(), start - 1);
  EXPECT_LE(zmalloc_get_peak_memory_time(), time(nullptr) + 1);
}

TEST_F(Zmalloc, AcceptsReservedThreadSlotsAndTheBackgroundThread) {
  zmalloc_reserve_thread_slots(8);
  zmalloc_register_reserved_slot();
  set_jemalloc_bg_thread(1);
  set_jemalloc_bg_thread(0);
  zfree(zmalloc(10));
}

TEST_F(Zmalloc, ShowsTheFreeSlotsOfSlabsAsFragmentation) {
  std::vector<void*> blocks(100000);
  for (void*& block : blocks) block = zmalloc(200);
  const size_t before = zmalloc_get_frag_smallbins();
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i % 4 != 0) zfree(blocks[i]);
  }
  jemalloc_purge();
  EXPECT_GT(zmalloc_get_frag_smallbins(), before + 10'000'000);
  for (size_t i = 0; i < blocks.size(); i += 4) zfree(blocks[i]);
}

TEST_F(Zmalloc, GivesMemoryBackToTheKernelOnAPurge) {
  constexpr size_t kBytes = size_t{256} << 20;
  void* block = zmalloc(kBytes);
  std::memset(block, 1, kBytes);
  const size_t full = zmalloc_get_rss();
  EXPECT_GE(full, kBytes);
  zfree(block);
  EXPECT_EQ(jemalloc_purge(), 0);
  EXPECT_LT(zmalloc_get_rss(), full - kBytes * 9 / 10);
}

TEST_F(Zmalloc, AsksTheReclaimHookBeforeTheOomHandlerButNotForATryForm) {
  static int hook_calls;
  hook_calls = 0;
  set_reclaim_hook([](size_t, void*) noexcept { return ++hook_calls, false; }, nullptr);
  ASSERT_TRUE(set_limit(LimitKind::kLive, {Bytes{0}, Bytes{zmalloc_used_memory() + (8u << 20)}})
                  .has_value());
  constexpr size_t kBytes = size_t{64} << 20;
  EXPECT_EQ(ztrymalloc(kBytes), nullptr);
  EXPECT_EQ(ztrycalloc(kBytes), nullptr);
  EXPECT_EQ(ztryrealloc(nullptr, kBytes), nullptr);
  EXPECT_EQ(hook_calls, 0);
  EXPECT_EQ(zmalloc(kBytes), nullptr);
  EXPECT_EQ(hook_calls, 1);
  EXPECT_EQ(refused_sizes, std::vector<size_t>{kBytes});
  set_reclaim_hook(nullptr, nullptr);
  ASSERT_TRUE(set_limit(LimitKind::kLive, {}).has_value());
}

TEST(ZmallocDeathTest, WritesTheSizeAndAbortsWithoutAHandler) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  zmalloc_set_oom_handler(nullptr);
  EXPECT_DEATH(zmalloc(kOversize),
               "zmalloc: Out of memory trying to allocate 9223372036854775807 bytes");
}

}  // namespace
}  // namespace numaheap

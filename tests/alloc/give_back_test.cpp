// Giving back: to the node (trim), to the kernel (purge), and what idle caches do by themselves.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "alloc/node_cache.hpp"
#include "alloc/slow_path.hpp"
#include "books.hpp"
#include "numa/sanitizer.hpp"
#include "numaheap/alloc.hpp"
#include "own_process.hpp"

namespace numaheap {
namespace {

using tests::run_in_own_process;
using tests::statistics;

constexpr size_t kMiB = size_t{1} << 20;

std::vector<void*> blocks_of(size_t size, size_t bytes) {
  std::vector<void*> blocks(bytes / size);
  for (void*& block : blocks) block = memset(allocate(size), 1, size);
  return blocks;
}

/// Purges step by step until nothing more goes. \returns the bytes that went.
size_t purge_all() {
  size_t total = 0;
  for (PurgeResult result; (result = purge(MiB(64))).purged.value != 0;)
    total += result.purged.value;
  return total;
}

TEST(GiveBack, TrimEmptiesTheCallersCacheAndSaysHowMuchWasInIt) {
  trim();
  EXPECT_EQ(trim(), Bytes{0});
  const Bytes others = statistics().thread_cached;
  deallocate_batch(blocks_of(128, kMiB));
  const Bytes cached = statistics().thread_cached - others;
  EXPECT_GT(cached, Bytes{0});
  EXPECT_EQ(trim(), cached);
  EXPECT_EQ(statistics().thread_cached, others);
}

TEST(GiveBack, AnIdleThreadHoldsNothing) {
  deallocate_batch(blocks_of(1000, kMiB));
  thread_idle();
  EXPECT_EQ(trim(), Bytes{0});
}

TEST(GiveBack, PurgeKeepsToItsBudgetAndSaysWhatIsLeft) {
  purge_all();
  deallocate_batch(blocks_of(6 * kMiB, 60 * kMiB));
  size_t total = 0;
  Bytes left{~size_t{0}};
  for (int step = 0; step < 200; ++step) {
    const PurgeResult result = purge(MiB(2));
    EXPECT_LE(result.purged, MiB(2));
    EXPECT_LE(result.left, left);
    if (result.left.value != 0) {
      EXPECT_EQ(result.purged, MiB(2));
    }
    left = result.left;
    total += result.purged.value;
    if (result.purged.value == 0) break;
  }
  EXPECT_EQ(left, Bytes{0});
  EXPECT_GE(total, 60 * kMiB);
  EXPECT_EQ(statistics().free_dirty, Bytes{0});
}

TEST(GiveBack, PurgeOfOneNodeAndOfOneThatDoesNotExist) {
  deallocate_batch(blocks_of(6 * kMiB, 12 * kMiB));
  EXPECT_GE(purge(thread_node(), MiB(64)).purged, MiB(12));
  const PurgeResult nowhere = purge(NodeId{1023}, MiB(64));
  EXPECT_EQ(nowhere.purged, Bytes{0});
  EXPECT_EQ(nowhere.left, Bytes{0});
}

TEST(GiveBack, WhatIsPurgedReadsAsZerosWhenItIsUsedAgain) {
  deallocate_batch(blocks_of(6 * kMiB, 30 * kMiB));
  purge_all();
  auto* block = static_cast<unsigned char*>(allocate_zeroed(20 * kMiB));
  ASSERT_NE(block, nullptr);
  for (size_t i = 0; i < 20 * kMiB; i += 4096) ASSERT_EQ(block[i], 0);
  deallocate(block);
}

/// Blocks that this thread's home cache holds.
size_t held(detail::SizeClass c) { return alloc::bin_count(alloc::t_locals.state->home->bins[c]); }

TEST(GiveBack, AgeingHalvesWhatNobodyTouchedAndLeavesWhatIsInUse) {
  trim();
  deallocate_batch(blocks_of(64, kMiB / 16));
  deallocate_batch(blocks_of(4096, kMiB));
  const detail::SizeClass idle = detail::class_of(64);
  const detail::SizeClass used = detail::class_of(4096);
  const alloc::SlowPath slow;
  const auto age = [&] { alloc::age_cache(*slow.thread(), *slow.thread()->home); };
  age();  // what was touched since ever
  size_t count = held(idle);
  ASSERT_GT(count, 8u);
  const size_t count_used = held(used);
  while (count > 1) {
    // Someone takes one and gives it back, by way of a fill.
    alloc::ClassBooks& books = slow.thread()->home->books[used];
    ++books.filled;
    ++books.returned;
    age();
    EXPECT_EQ(held(idle), count / 2);
    count = held(idle);
    alloc::check_invariants(*slow.thread()->home);
  }
  EXPECT_EQ(held(used), count_used);
}

TEST(GiveBack, AnIdleTransferCacheIsDrained) {
  trim();
  purge_all();
  deallocate_batch(blocks_of(256, 2 * kMiB));
  trim();
  const Bytes before = statistics().node_cached;
  ASSERT_GT(before, Bytes{0});
  const alloc::SlowPath slow;
  alloc::PlacementHeap& home = alloc::g_heap.placement(slow.thread()->home->placement);
  EXPECT_EQ(alloc::drain_transfer(home, MiB(64), true), Bytes{0});  // touched since the last look
  const Bytes some = alloc::drain_transfer(home, KiB(64), true);
  EXPECT_GE(some, KiB(64));
  EXPECT_LT(some, KiB(192));  // a magazine more at most
  EXPECT_EQ(statistics().node_cached, before - some);
}

size_t resident_bytes() {
  FILE* file = fopen("/proc/self/statm", "r");
  size_t all = 0;
  size_t pages = 0;
  if (fscanf(file, "%zu %zu", &all, &pages) != 2) pages = 0;
  fclose(file);
  return pages * 4096;
}

/// Takes some of everything, touches it all, and frees it. The list runs through the blocks: nothing but the heap
/// under test is used.
void take_and_free_much() {
  void** last = nullptr;
  for (size_t size : {16u, 100u, 1000u, 5000u, 40000u, 300000u, 3u << 20, 7u << 20}) {
    for (size_t bytes = 0; bytes < 10 * kMiB; bytes += size) {
      auto** block = static_cast<void**>(memset(allocate(size), 1, size));
      *block = last;
      last = block;
    }
  }
  while (last != nullptr) {
    auto** const block = last;
    last = static_cast<void**>(*block);
    deallocate(block);
  }
}

NH_OWN_PROCESS(FreesAndPurgesEverything) {
  [[maybe_unused]] const size_t before = resident_bytes();
  std::thread threads[3];
  for (std::thread& thread : threads) thread = std::thread(take_and_free_much);
  for (std::thread& thread : threads) thread.join();
  trim();
  purge_all();
  [[maybe_unused]] const size_t after = resident_bytes();
  const Statistics now = statistics();
  printf(
      "live %zu, cached %zu + %zu, in extents %zu, dirty %zu, metadata %zu; %zu bytes more are "
      "resident\n",
      now.live.value, now.thread_cached.value, now.node_cached.value, now.extents.value,
      now.free_dirty.value, now.metadata.value, after - before);
  fflush(stdout);
  NH_CHILD_EXPECT(now.live == Bytes{0} && now.thread_cached == Bytes{0} &&
                  now.node_cached == Bytes{0});
  NH_CHILD_EXPECT(now.free_dirty == Bytes{0});
  NH_CHILD_EXPECT(now.extents <
                  MiB(32));  // the arena's own pieces of 2 MiB and more, little of them resident
#if !NH_SANITIZED
  NH_CHILD_EXPECT(after < before + 10 * kMiB);
#endif
}

/// Frees many slabs of 8 KiB, which the arena does not put together, and allocates as much in slabs of 28 KiB.
/// \returns by how much the range grew for the second.
NH_OWN_PROCESS(GrowsForSlabsOfAnotherShape) {
  constexpr size_t kBytes = 32 * kMiB;
  const alloc::ExtentPool& extents = alloc::g_heap.placement(0).extents;
  std::vector<void*> first = blocks_of(8192, kBytes);
  deallocate_batch(first);
  trim();
  const size_t before = extents.grown().value;
  std::vector<void*> second = blocks_of(112, kBytes);
  const size_t more = extents.grown().value - before;
  printf("%zu bytes before, %zu more\n", before, more);
  fflush(stdout);
  NH_CHILD_EXPECT(more < kBytes / 4);
  deallocate_batch(second);
}

TEST(GiveBack, FreeExtentsOfOneShapeServeSlabsOfAnother) {
  const tests::OwnProcess process = run_in_own_process("GrowsForSlabsOfAnotherShape", {});
  EXPECT_EQ(process.status, 0) << process.output;
}

TEST(GiveBack, EverythingFreedAndPurgedLeavesLessThanTenMegabytes) {
  const tests::OwnProcess process = run_in_own_process("FreesAndPurgesEverything", {});
  EXPECT_EQ(process.status, 0) << process.output;
}

}  // namespace
}  // namespace numaheap

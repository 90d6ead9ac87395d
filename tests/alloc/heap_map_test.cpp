// The heap map: that it shows what the books say, and that drawing it disturbs nobody.
#include "numaheap/heap_map.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "books.hpp"
#include "heap.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/detail/size_class.hpp"

namespace numaheap {
namespace {

using stats::MapCell;
using stats::RangeMap;

struct Picture {
  RangeMap map;
  std::vector<MapCell> cells = std::vector<MapCell>(RangeMap::kMostCells);

  [[nodiscard]] size_t sum(uint32_t MapCell::*part) const {
    size_t total = 0;
    for (size_t i = 0; i < map.cells; ++i) total += cells[i].*part;
    return total;
  }
  [[nodiscard]] const MapCell& at(const void* address) const {
    return cells[(reinterpret_cast<uintptr_t>(address) - map.start) / map.cell_bytes];
  }
};

Picture draw(unsigned placement = 0) {
  Picture picture;
  EXPECT_TRUE(draw_heap_map(placement, picture.map, picture.cells));
  return picture;
}

unsigned placement_of(const void* block) { return alloc::g_heap.placement_of(block); }

void free_all(std::vector<void*>& blocks) {
  for (void* block : blocks) deallocate(block);
  blocks.clear();
}

void purge_all() {
  trim();
  while (purge(MiB(64)).purged.value != 0) {
  }
}

TEST(HeapMap, AgreesWithTheBooksAfterThreeQuartersWereFreedAtRandom) {
  std::mt19937 random(7);
  std::vector<void*> blocks(100'000);
  for (void*& block : blocks)
    block = allocate(random() % 50 == 0 ? 16384 + random() % 100'000 : 16 + random() % 2000);
  std::shuffle(blocks.begin(), blocks.end(), random);
  std::vector<void*> kept(blocks.begin(), blocks.begin() + 25'000);
  blocks.erase(blocks.begin(), blocks.begin() + 25'000);
  free_all(blocks);
  purge_all();  // empties jemalloc's refill caches, too, which no book of ours knows
  Statistics books;
  read_statistics(books);
  size_t used = 0, free_slots = 0, dirty = 0, clean = 0, taken = 0, grown = 0;
  for (unsigned i = 0; i < books.placements; ++i) {
    const Picture picture = draw(i);
    used += picture.sum(&MapCell::used);
    free_slots += picture.sum(&MapCell::free_slots);
    dirty += picture.sum(&MapCell::dirty);
    clean += picture.sum(&MapCell::clean);
    taken += alloc::g_heap.placement(i).extents.taken().value;
    grown += picture.map.grown;
    EXPECT_GT(picture.map.cells, 0u);
  }
  const auto on_the_books =
      static_cast<double>((books.live + books.thread_cached + books.node_cached).value);
  EXPECT_NEAR(static_cast<double>(used), on_the_books, 0.01 * on_the_books);
  const auto waste = static_cast<double>(read_arena_statistics().small_waste.value);
  EXPECT_GT(waste, 0.5 * on_the_books) << "the heap is fragmented";
  EXPECT_NEAR(static_cast<double>(free_slots), waste, 0.01 * waste);
  EXPECT_EQ(dirty, books.free_dirty.value);
  EXPECT_EQ(clean + dirty, grown - taken);
  free_all(kept);
}

TEST(HeapMap, IsCleanOnceEverythingIsFreedAndPurged) {
  std::vector<void*> blocks(20'000);
  for (void*& block : blocks) block = memset(allocate(1000), 1, 1000);
  const size_t before = draw().sum(&MapCell::used);
  EXPECT_GE(before, 20'000u * 1000);
  free_all(blocks);
  purge_all();
  const Picture picture = draw();
  EXPECT_LT(picture.sum(&MapCell::used), before / 20);
  EXPECT_LT(picture.sum(&MapCell::free_slots), before / 20);
  EXPECT_EQ(picture.sum(&MapCell::dirty), 0u);
  EXPECT_GE(picture.sum(&MapCell::clean), 20'000u * 1000);
}

TEST(HeapMap, ShowsOneBlockWhereItLiesAndForgetsItWhenItIsGone) {
  for (const size_t size : {size_t{100}, size_t{20'000}, size_t{1} << 20, size_t{10} << 20}) {
    purge_all();
    const size_t before = draw().sum(&MapCell::used);
    void* block = allocate(size);
    const unsigned placement = placement_of(block);
    const Picture picture = draw(placement);
    EXPECT_GT(picture.at(block).used, 0u) << size;
    EXPECT_EQ(picture.at(block).block_bytes, usable_size(block)) << size;
    const size_t bytes = usable_size(block);
    deallocate(block);
    if (size <= detail::kMaxSmall || placement != 0) continue;
    EXPECT_EQ(picture.sum(&MapCell::used), before + bytes) << size;
    purge_all();
    EXPECT_EQ(draw().sum(&MapCell::used), before) << size;
  }
}

TEST(HeapMap, NeverShowsMoreInACellThanItHolds) {
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 3; ++t) {
    threads.emplace_back([&done, t] {
      std::mt19937 random(t);
      std::vector<void*> blocks(2000);
      while (!done.load(std::memory_order_relaxed)) {
        for (int i = 0; i < 500; ++i) {
          void*& block = blocks[random() % blocks.size()];
          deallocate(block);
          block = allocate(random() % 20 == 0 ? random() % 300'000 : random() % 3000);
        }
        if (random() % 16 == 0) trim();
        if (t == 0) purge(MiB(1));
      }
      free_all(blocks);
    });
  }
  for (int i = 0; i < 50; ++i) {
    const Picture picture = draw();
    for (size_t k = 0; k < picture.map.cells; ++k) {
      const MapCell& cell = picture.cells[k];
      ASSERT_LE(uint64_t{cell.used} + cell.free_slots + cell.dirty + cell.clean,
                picture.map.cell_bytes);
    }
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
}

TEST(HeapMap, RefusesWhatIsNoPlacementAndTooLittleRoom) {
  void* block = allocate(1);
  RangeMap map;
  std::vector<MapCell> cells(RangeMap::kMostCells);
  EXPECT_FALSE(draw_heap_map(10'000, map, cells));
  EXPECT_FALSE(draw_heap_map(0, map, std::span(cells).first(100)));
  deallocate(block);
}

}  // namespace
}  // namespace numaheap

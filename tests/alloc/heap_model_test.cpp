// A randomised model test: threads do everything that the heap can do with blocks, hand blocks to each other, and
// check each block against a shadow of the heap; where all threads meet, the heap's books must be the model's to the
// byte.
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <tuple>
#include <vector>

#include "numaheap/statistics.hpp"
#include "shadow_heap.hpp"
#include "stress.hpp"

namespace numaheap {
namespace {

using detail::class_of;
using detail::kDirectBlock;
using detail::kMaxCached;
using tests::Block;
using tests::check_marks;
using tests::repeated;
using tests::ShadowHeap;
using tests::write_marks;

constexpr unsigned kThreads = 4;
constexpr unsigned kMeetings = 4;
constexpr size_t kMostBytes = size_t{24} << 20;  // of a thread
constexpr size_t kMostBlocks = 6000;

/// Blocks on their way from thread to thread.
struct Exchange {
  std::atomic<Block*> slots[256] = {};
};

class Worker {
 public:
  Worker(unsigned id, const ShadowHeap& shadow, Exchange& exchange)
      : random_(id + 1), serial_(uint64_t{id} << 56), shadow_(shadow), exchange_(exchange) {}

  void work(size_t operations) {
    for (size_t i = 0; i < operations && !testing::Test::HasFatalFailure(); ++i) step();
  }
  void free_all() {
    while (!blocks_.empty()) release(take_any());
  }
  [[nodiscard]] const std::vector<Block>& blocks() const { return blocks_; }

 private:
  void step() {
    const unsigned what = random_() % 1000;
    const bool full = bytes_ > kMostBytes || blocks_.size() > kMostBlocks;
    if (what < 350) return full ? release(take_any()) : make_one();
    if (what < 360) return full ? release_batch() : make_batch();
    if (blocks_.empty()) return;
    if (what < 700) return release(take_any());
    if (what < 720) return release_batch();
    if (what < 850) return resize();
    if (what < 900) return expand();
    if (what < 970) return swap();
    if (what < 997) return look();
    if (what == 997) return static_cast<void>(trim());
    if (what == 998) return static_cast<void>(purge(KiB(256)));
    look_at_statistics();
  }

  size_t any_size() {
    const unsigned what = random_() % 10000;
    if (what == 0) return random_() % (size_t{12} << 20);  // no class
    if (what < 20) return random_() % kMaxCached;
    if (what < 400) return random_() % (size_t{200} << 10);
    return random_() % (size_t{16} << random_() % 11);  // up to 16 KiB, most of them small
  }

  uint64_t next_serial() { return ++serial_; }

  /// Takes over what the heap handed out.
  void keep(void* start, size_t size, size_t alignment, bool zeroed = false) {
    ASSERT_NE(start, nullptr);
    const Block block{static_cast<unsigned char*>(start), size, alignment, usable_size(start),
                      next_serial()};
    ASSERT_GE(block.usable, size);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(start) % std::max<size_t>(alignment, size <= 8 ? 8 : 16),
              0u);
    ASSERT_NO_FATAL_FAILURE(shadow_.take(block));
    const detail::SizeClass c = class_of(size, alignment);
    if (c != kDirectBlock) {
      ASSERT_EQ(block.usable, detail::kClassSizes[c]);
    }
    if (zeroed) {
      ASSERT_TRUE(
          std::all_of(block.start, block.start + size, [](unsigned char b) { return b == 0; }));
    }
    write_marks(block);
    add(block);
  }
  void add(const Block& block) {
    blocks_.push_back(block);
    bytes_ += block.usable;
  }
  Block take_any() {
    std::swap(blocks_[random_() % blocks_.size()], blocks_.back());
    const Block block = blocks_.back();
    blocks_.pop_back();
    bytes_ -= block.usable;
    return block;
  }

  void make_one() {
    const size_t size = any_size();
    switch (random_() % 8) {
      case 0:
        return keep(allocate_zeroed(size), size, 1, true);
      case 1: {
        const size_t alignment = size_t{1} << random_() % 15;
        return keep(allocate_aligned(alignment, size), size, alignment);
      }
      case 2: {
        const Placement placement = any_placement();
        const size_t alignment = random_() % 2 == 0 ? 1 : 64;
        void* start = allocate_on(placement, size, alignment);
        if (placement.kind() == Placement::Kind::kNode) {
          ASSERT_EQ(home_node(start), placement.node());
        }
        return keep(start, size, alignment);
      }
      case 3:
        return keep(allocate(48), 48, 1);  // inlined
      default:
        return keep(allocate(size), size, 1);
    }
  }

  Placement any_placement() {
    const unsigned index = random_() % alloc::g_heap.placement_count();
    const NodeId node = alloc::g_heap.placement(index).node;
    if (node != kNoNode) return Placement::node(node);
    return random_() % 2 == 0 ? Placement::interleaved() : Placement::weighted();
  }

  void make_batch() {
    const size_t size = random_() % 600;
    std::vector<void*> batch(1 + random_() % 300);
    ASSERT_EQ(allocate_batch(size, batch), batch.size());
    for (void* start : batch) ASSERT_NO_FATAL_FAILURE(keep(start, size, 1));
  }

  void release(const Block& block) {
    ASSERT_NO_FATAL_FAILURE(check_marks(block, block.start, block.size));
    ASSERT_NO_FATAL_FAILURE(shadow_.give(block));
    switch (random_() % 4) {
      case 0:
        return deallocate(block.start, block.size, block.alignment);
      case 1:
        return deallocate(block.start, block.usable, block.alignment);
      default:
        return deallocate(block.start);
    }
  }

  void release_batch() {
    std::vector<void*> batch;
    for (size_t i = 1 + random_() % 300; i > 0 && !blocks_.empty(); --i) {
      const Block block = take_any();
      ASSERT_NO_FATAL_FAILURE(check_marks(block, block.start, block.size));
      ASSERT_NO_FATAL_FAILURE(shadow_.give(block));
      batch.push_back(block.start);
      if (random_() % 16 == 0) batch.push_back(nullptr);
    }
    deallocate_batch(batch);
  }

  void resize() {
    Block old = take_any();
    ASSERT_NO_FATAL_FAILURE(check_marks(old, old.start, old.size));
    ASSERT_NO_FATAL_FAILURE(shadow_.give(old));
    const NodeId home = home_node(old.start);
    const size_t size = random_() % 2 == 0 ? any_size() : random_() % (2 * old.size + 1);
    auto* start = static_cast<unsigned char*>(reallocate(old.start, size));
    ASSERT_NE(start, nullptr);
    ASSERT_NO_FATAL_FAILURE(check_marks(old, start, std::min(size, old.size)));
    ASSERT_EQ(home_node(start), home);
    keep(start, size, 1);
  }

  void expand() {
    Block block = take_any();
    ASSERT_NO_FATAL_FAILURE(shadow_.give(block));
    const size_t size = block.size + random_() % (block.size + 64);
    const bool grown = expand_in_place(block.start, size);
    ASSERT_EQ(grown, usable_size(block.start) >= size);
    ASSERT_NO_FATAL_FAILURE(check_marks(block, block.start, block.size));
    ASSERT_GE(usable_size(block.start), block.usable);
    if (usable_size(block.start) != block.usable) block.alignment = 1;
    block.usable = usable_size(block.start);
    if (grown) {
      block.size = size;
      block.serial = next_serial();
    }
    ASSERT_NO_FATAL_FAILURE(shadow_.take(block));
    write_marks(block);
    add(block);
  }

  /// Leaves a block for another thread, and takes what was left.
  void swap() {
    auto mine = std::make_unique<Block>(take_any());
    // acq_rel: what is in the blocks goes over with them, in both directions.
    const std::unique_ptr<Block> other(
        exchange_.slots[random_() % std::size(exchange_.slots)].exchange(
            mine.release(), std::memory_order_acq_rel));
    if (other != nullptr) add(*other);
  }

  void look() {
    const Block& block = blocks_[random_() % blocks_.size()];
    ASSERT_EQ(usable_size(block.start), block.usable);
    ASSERT_TRUE(owns(block.start + random_() % block.usable));
    ASSERT_NO_FATAL_FAILURE(check_marks(block, block.start, block.size));
  }

  /// While threads run, figures are off by what they just do, but none is below nothing or beyond all reason.
  static void look_at_statistics() {
    Statistics now;
    read_statistics(now);
    constexpr size_t kReason = size_t{1} << 36;
    ASSERT_LT(now.live.value, kReason);
    ASSERT_LT(now.thread_cached.value, kReason);
    ASSERT_LT(now.node_cached.value, kReason);
    ASSERT_LT(now.extents.value, kReason);
    ASSERT_LT(now.free_dirty.value, kReason);
    ASSERT_LT(used_memory(), kReason);
    ASSERT_LE(now.threads, kThreads + 1);
  }

  std::mt19937_64 random_;
  uint64_t serial_;
  const ShadowHeap& shadow_;
  Exchange& exchange_;
  std::vector<Block> blocks_;
  size_t bytes_ = 0;
};

/// Live blocks by placement and block size, 0 for those of no class: {count, bytes}.
using Books = std::map<std::pair<unsigned, size_t>, std::pair<uint64_t, size_t>>;

void count(Books& books, const Block& block) {
  const unsigned placement = alloc::g_heap.placement_of(block.start);
  const bool direct = alloc::g_heap.class_at(block.start) == kDirectBlock;
  auto& [blocks, bytes] = books[{placement, direct ? 0 : block.usable}];
  ++blocks;
  bytes += block.usable;
}

Books heap_books() {
  std::vector<ClassStatistics> rows(5000);
  rows.resize(read_class_statistics(rows));
  Books books;
  for (const ClassStatistics& row : rows) {
    unsigned placement = 0;
    while (alloc::g_heap.placement(placement).node != row.node) ++placement;
    auto& [blocks, bytes] = books[{placement, row.block_bytes}];
    blocks += row.live_blocks;
    bytes += row.live.value;
  }
  std::erase_if(books, [](const auto& entry) { return entry.second.first == 0; });
  return books;
}

/// \pre nobody allocates now.
void expect_books_of_the_model(const std::vector<std::unique_ptr<Worker>>& workers,
                               const Exchange& exchange) {
  Books model;
  for (const auto& worker : workers) {
    for (const Block& block : worker->blocks()) count(model, block);
  }
  for (const auto& slot : exchange.slots) {
    if (const Block* block = slot.load()) count(model, *block);
  }
  size_t live = 0;
  for (const auto& [key, entry] : model) live += entry.second;

  Statistics now;
  read_statistics(now);
  EXPECT_EQ(now.live.value, live);
  EXPECT_EQ(now.clamped, 0u);
  const Books heap = heap_books();
  if (alloc::g_heap.placement_count() ==
      1) {  // interleaved and weighted share their "no node" otherwise
    EXPECT_EQ(heap, model);
  }
  size_t by_class = 0;
  for (const auto& [key, entry] : heap) by_class += entry.second;
  EXPECT_EQ(by_class, live);
}

TEST(HeapModel, BlocksNeverOverlapKeepTheirContentsAndAreAccountedForToTheByte) {
  const ShadowHeap shadow;
  Exchange exchange;
  std::vector<std::unique_ptr<Worker>> workers;
  for (unsigned id = 0; id < kThreads; ++id)
    workers.push_back(std::make_unique<Worker>(id, shadow, exchange));
  const size_t operations = repeated(500000) / kMeetings;

  unsigned meetings = 0;
  std::barrier meeting(kThreads, [&]() noexcept {
    SCOPED_TRACE(testing::Message() << "meeting " << ++meetings);
    expect_books_of_the_model(workers, exchange);
  });
  std::vector<std::thread> threads;
  for (unsigned id = 0; id < kThreads; ++id) {
    threads.emplace_back([&, id] {
      for (unsigned i = 0; i < kMeetings; ++i) {
        workers[id]->work(operations);
        meeting.arrive_and_wait();
      }
      workers[id]->free_all();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& slot : exchange.slots) {
    const std::unique_ptr<Block> block(slot.load());
    if (block != nullptr) deallocate(block->start);
  }

  Statistics now;
  read_statistics(now);
  EXPECT_EQ(now.live, Bytes{0});
  EXPECT_EQ(heap_books(), Books{});
  EXPECT_EQ(now.misuses, 0u);
  for (unsigned i = 0; i < alloc::g_heap.placement_count(); ++i)
    alloc::g_heap.placement(i).extents.check_invariants();
}

}  // namespace
}  // namespace numaheap

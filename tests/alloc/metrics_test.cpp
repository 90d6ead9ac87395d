// The heap's figures as metrics. Values are compared with numaheap/statistics.hpp, whose own tests compare them with
// what was allocated.

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "numaheap/alloc.hpp"
#include "numaheap/limits.hpp"
#include "numaheap/statistics.hpp"
#include "numaheap/stats/doctor_metrics.hpp"
#include "numaheap/stats/info.hpp"
#include "numaheap/stats/registry.hpp"
#include "numaheap/zmalloc.h"

namespace numaheap {
namespace {

using stats::Detail;
using stats::Label;
using stats::Sample;
using stats::Snapshot;

/// Blocks of one size for the length of a scope.
class Blocks {
 public:
  Blocks(size_t count, size_t size) : blocks_(count) {
    for (void*& block : blocks_) block = allocate(size);
  }
  ~Blocks() {
    for (void* block : blocks_) deallocate(block);
  }
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;
  [[nodiscard]] size_t bytes() const { return blocks_.size() * usable_size(blocks_.front()); }

 private:
  std::vector<void*> blocks_;
};

Snapshot snapshot(Detail detail = Detail::kSummary) {
  static std::array<Sample, 1 << 16> memory;
  return stats::take_snapshot(memory, detail);
}

int64_t sum(const Snapshot& snapshot, const char* metric) {
  int64_t value = -1;
  EXPECT_TRUE(snapshot.sum(metric, value)) << metric << " has no sample";
  return value;
}

std::string info() {
  std::string text(1 << 16, '\0');
  text.resize(stats::render_info(snapshot(), text.data(), text.size()));
  return text;
}

std::string field(const std::string& info, const std::string& name) {
  const size_t at = info.find("\r\n" + name + ":");
  if (at == std::string::npos) return "";
  const size_t value = at + name.size() + 3;
  return info.substr(value, info.find("\r\n", value) - value);
}

TEST(Metrics, LiveBytesFollowWhatIsAllocated) {
  const Blocks first(1, 64);  // the heap is started
  const int64_t before = sum(snapshot(), stats::kLiveBytes);
  {
    const Blocks blocks(1000, 1000);
    EXPECT_EQ(sum(snapshot(), stats::kLiveBytes), before + static_cast<int64_t>(blocks.bytes()));
  }
  EXPECT_EQ(sum(snapshot(), stats::kLiveBytes), before);
}

TEST(Metrics, ASnapshotTakesNothingFromTheHeap) {
  const Blocks blocks(10, 64);
  static Statistics before;
  static Statistics after;
  static_cast<void>(snapshot(Detail::kPerThread));  // mmap, the clock and the like are warm
  read_statistics(before);
  static_cast<void>(snapshot(Detail::kPerThread));
  read_statistics(after);
  EXPECT_EQ(after.live, before.live);
  EXPECT_EQ(after.thread_cached, before.thread_cached);
  EXPECT_EQ(after.node_cached, before.node_cached);
  EXPECT_EQ(after.extents, before.extents);
}

TEST(Metrics, EveryPlacementHasItsSamples) {
  const Blocks blocks(10, 64);
  static Statistics books;
  read_statistics(books);
  const Snapshot taken = snapshot();
  ASSERT_GT(books.placements, 0u);
  for (unsigned i = 0; i < books.placements; ++i) {
    if (books.placement[i].placing != numa::Placing::kNode) continue;
    const Label node = books.placement[i].node;
    const Sample* live = taken.find(stats::kLiveBytes, {node});
    ASSERT_NE(live, nullptr);
    EXPECT_EQ(live->value, static_cast<int64_t>(books.placement[i].live.value));
    EXPECT_NE(taken.find("numaheap_cached_bytes", {node, "thread"}), nullptr);
    EXPECT_NE(taken.find("numaheap_placement", {node, numa::name(books.placement[i].rung)}),
              nullptr);
  }
}

TEST(Metrics, AClassKnowsItsLiveBlocks) {
  const auto live_of_class = [](size_t bytes) {
    int64_t live = 0;
    const Snapshot taken = snapshot(Detail::kPerClass);
    EXPECT_EQ(taken.left_out, 0u);
    for (const Sample& sample : taken.samples) {
      if (std::string("numaheap_class_live_blocks") == sample.metric->name &&
          sample.labels[1] == Label(bytes)) {
        live += sample.value;
      }
    }
    return live;
  };
  const Blocks first(1, 640);
  const int64_t before = live_of_class(640);
  const Blocks blocks(500, 640);
  EXPECT_EQ(live_of_class(640), before + 500);
}

TEST(Metrics, AClassKnowsWhatItsSlabsWaste) {
  std::vector<void*> blocks(4096);
  for (void*& block : blocks) block = allocate(320);
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i % 16 != 0) deallocate(std::exchange(blocks[i], nullptr));
  }
  trim();
  static_cast<void>(purge(GiB(64)));  // which empties the nodes' caches
  const auto freed_at = std::chrono::steady_clock::now();
  int64_t wasted = 0;
  int64_t slabs = 0;
  while (slabs == 0) {  // until the figures are younger than that
    for (const Sample& sample : snapshot(Detail::kPerClass).samples) {
      const std::string name = sample.metric->name;
      if (sample.age >= std::chrono::steady_clock::now() - freed_at) continue;
      if (!name.starts_with("numaheap_class_") || !(sample.labels[1] == Label(320))) continue;
      if (name == "numaheap_class_fragmented_bytes") wasted += sample.value;
      if (name == "numaheap_class_slab_bytes") slabs += sample.value;
    }
  }
  EXPECT_GE(wasted, 4096 * 320 / 2) << "of 15 / 16 of them";
  EXPECT_LE(wasted, slabs);
  for (void* block : blocks) deallocate(block);
}

TEST(Metrics, WhatThreadsGiveBackIsCountedOnce) {
  const Blocks warm(1, 64);
  const int64_t returned = sum(snapshot(), stats::kReturnedBytes);
  const int64_t remote = sum(snapshot(), stats::kFreedRemoteBytes);
  size_t bytes = 0;
  { bytes = Blocks(1000, 1000).bytes(); }
  trim();
  EXPECT_GE(sum(snapshot(), stats::kReturnedBytes), returned + static_cast<int64_t>(bytes));
  EXPECT_EQ(sum(snapshot(), stats::kFreedRemoteBytes), remote) << "by a thread of the same node";
}

TEST(Metrics, AThreadIsFoundByItsKernelId) {
  const Blocks blocks(1, 64);
  const auto thread = static_cast<uint64_t>(gettid());
  const auto shown = [](uint64_t id) {
    for (const Sample& sample : snapshot(Detail::kPerThread).samples) {
      if (std::string("numaheap_thread_cached_bytes") == sample.metric->name &&
          sample.labels[0] == Label(id)) {
        return true;
      }
    }
    return false;
  };
  EXPECT_TRUE(shown(thread));
  uint64_t ended = 0;
  std::thread([&] {
    const Blocks own(100, 64);
    ended = static_cast<uint64_t>(gettid());
    EXPECT_TRUE(shown(ended));
  }).join();
  EXPECT_FALSE(shown(ended));
}

TEST(Metrics, TheArenasFiguresAreByNodeAndCarryTheirAge) {
  const Blocks blocks(1000, 200);
  const Snapshot taken = snapshot();
  EXPECT_GT(sum(taken, stats::kAllocatedBytes), 0);
  static Statistics books;
  read_statistics(books);
  for (unsigned i = 0; i < books.placements; ++i) {
    if (books.placement[i].placing != numa::Placing::kNode) continue;
    const Label node = books.placement[i].node;
    const Sample* allocated = taken.find(stats::kAllocatedBytes, {node});
    const Sample* active = taken.find(stats::kActiveBytes, {node});
    const Sample* resident = taken.find(stats::kResidentBytes, {node});
    ASSERT_TRUE(allocated != nullptr && active != nullptr && resident != nullptr);
    EXPECT_GE(allocated->age.count(), 0);
    EXPECT_LE(allocated->value, active->value);
    EXPECT_LE(active->value, resident->value);
  }
}

TEST(Metrics, FreeExtentsAndTheHeapsOwnStructuresAreResident) {
  { const Blocks blocks(4, size_t{16} << 20); }  // freed: extents that stay resident
  std::this_thread::sleep_for(
      std::chrono::milliseconds(120));  // until the arenas' figures are read again
  static Statistics books;
  const Snapshot taken = snapshot();
  read_statistics(books);
  ASSERT_GT(books.free_dirty.value, 0u);
  EXPECT_GE(sum(taken, stats::kResidentBytes),
            sum(taken, stats::kActiveBytes) + static_cast<int64_t>(books.free_dirty.value));
  const Sample* own = taken.find(stats::kResidentBytes, {"heap"});
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(own->value, sum(taken, "numaheap_metadata_bytes"));
}

TEST(Metrics, WhatIsNotAvailableSaysWhy) {
  const Blocks blocks(1, 64);
  std::array<stats::Absence, 256> absences;
  Snapshot taken = snapshot();
  find_absent(taken, Detail::kSummary, absences);
  std::map<std::string, std::string> why;
  for (const stats::Absence& absence : taken.absent) why[absence.metric->name] = absence.why;
  EXPECT_EQ(why[stats::kHardLimitBytes], "no hard limit is set");
  EXPECT_EQ(why.count(stats::kLiveBytes), 0u);
  static Statistics books;
  read_statistics(books);
  if (books.placements == 1) {
    EXPECT_EQ(why["numaheap_range_elsewhere_bytes"],
              "the machine has one node: nothing can lie elsewhere");
  }
}

TEST(Metrics, InfoHasTheFieldsThatTheHeapCanFill) {
  const Blocks blocks(1000, 200);
  const std::string text = info();
  for (const char* name :
       {"used_memory",           "used_memory_human",       "used_memory_rss",
        "used_memory_rss_human", "used_memory_peak",        "used_memory_peak_human",
        "used_memory_peak_time", "used_memory_peak_perc",   "allocator_allocated",
        "allocator_active",      "allocator_resident",      "allocator_muzzy",
        "total_system_memory",   "allocator_frag_ratio",    "allocator_frag_bytes",
        "allocator_rss_ratio",   "allocator_rss_bytes",     "rss_overhead_ratio",
        "rss_overhead_bytes",    "mem_fragmentation_ratio", "mem_fragmentation_bytes"}) {
    EXPECT_NE(field(text, name), "") << name << " is missing in\n" << text;
  }
  EXPECT_EQ(field(text, "mem_allocator"), ZMALLOC_LIB);
  EXPECT_GE(std::stoull(field(text, "used_memory")), blocks.bytes());
  EXPECT_GE(std::stoull(field(text, "used_memory_rss")), blocks.bytes());
}

TEST(Metrics, InfoShowsALimitWhileOneIsSet) {
  EXPECT_EQ(field(info(), "maxmemory"), "");
  ASSERT_TRUE(set_limit(LimitKind::kLive, {.soft = GiB(64), .hard = GiB(128)}));
  EXPECT_EQ(field(info(), "maxmemory_human"), "128.00G");
  EXPECT_EQ(field(info(), "numaheap_soft_limit"), std::to_string(GiB(64).value));
  ASSERT_TRUE(set_limit(LimitKind::kLive, {}));
  EXPECT_EQ(field(info(), "maxmemory"), "");
}

TEST(Metrics, SnapshotsBesideRunningThreadsNeverShowNegativeFigures) {
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!done) const Blocks blocks(300, 100);
    });
  }
  for (int i = 0; i < 200; ++i) {
    for (const Sample& sample : snapshot(Detail::kPerThread).samples) {
      ASSERT_GE(sample.value, 0) << sample.metric->name;
    }
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace numaheap

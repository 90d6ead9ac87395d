#include "numaheap/stats/memory_stats.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <map>

#include "numaheap/stats/host_figures.hpp"
#include "numaheap/stats/info.hpp"
#include "snapshot_by_hand.hpp"

namespace numaheap::stats {
namespace {

using tests::SnapshotByHand;

const Metric kDatabase{
    .name = kHostDatabaseBytes, .help = "", .unit = Unit::kBytes, .label_keys = {"db", "table"}};

/// A server that gives everything: each host figure a power of two, so that a sum says what is in it.
struct Server : SnapshotByHand {
  Server() {
    add_bytes(kLiveBytes, 1 << 28);
    add_bytes(kPeakBytes, 1 << 29);
    add_bytes(kProcessResidentBytes, 3 << 28);
    add_bytes(kAllocatedBytes, 1000);
    add_bytes(kActiveBytes, 2000);
    add_bytes(kResidentBytes, 5000);
    add_bytes(kMuzzyBytes, 0);
    add_bytes(kFragmentedBytes, 250);
    for (size_t i = 0; i < kHostFigures; ++i)
      add_bytes(metric_name(static_cast<HostFigure>(i)), int64_t{1} << i);
    for (uint64_t database : {0, 3}) {
      add(kDatabase, 1000, {database, "main"});
      add(kDatabase, 10, {database, "expires"});
    }
  }
};

struct Stats {
  explicit Stats(const SnapshotByHand& server)
      : count(fill_memory_stats(server.snapshot(), stats)) {}
  [[nodiscard]] const MemoryStat* find(const std::string& key, int64_t database = -1) const {
    for (size_t i = 0; i < count; ++i)
      if (key == stats[i].key && stats[i].database == database) return &stats[i];
    return nullptr;
  }
  std::array<MemoryStat, kMaxMemoryStats> stats;
  size_t count;
};

TEST(MemoryStats, HasTheKeysOfRedisInTheirOrder) {
  // As Debian's redis-server 7.0.15 answers MEMORY STATS; slot-to-keys went with 7.4.
  const std::vector<std::string> redis = {"peak.allocated",
                                          "total.allocated",
                                          "startup.allocated",
                                          "replication.backlog",
                                          "clients.slaves",
                                          "clients.normal",
                                          "cluster.links",
                                          "aof.buffer",
                                          "lua.caches",
                                          "functions.caches",
                                          "overhead.hashtable.main",
                                          "overhead.hashtable.expires",
                                          "overhead.total",
                                          "keys.count",
                                          "keys.bytes-per-key",
                                          "dataset.bytes",
                                          "dataset.percentage",
                                          "peak.percentage",
                                          "allocator.allocated",
                                          "allocator.active",
                                          "allocator.resident",
                                          "allocator-fragmentation.ratio",
                                          "allocator-fragmentation.bytes",
                                          "allocator-rss.ratio",
                                          "allocator-rss.bytes",
                                          "rss-overhead.ratio",
                                          "rss-overhead.bytes",
                                          "fragmentation",
                                          "fragmentation.bytes"};
  const std::vector<std::string> newer = {
      "replica.fullsync.buffer",   "script.VMs",
      "overhead.db.hashtable.lut", "overhead.db.hashtable.rehashing",
      "db.dict.rehashing.count",   "allocator.muzzy"};
  const Stats stats{Server()};
  std::vector<std::string> keys;
  for (size_t i = 0; i < stats.count; ++i) {
    const std::string key = stats.stats[i].key;
    if (std::find(newer.begin(), newer.end(), key) == newer.end() && stats.stats[i].database <= 0)
      keys.push_back(key);
  }
  EXPECT_EQ(keys, redis);
  for (const std::string& key : newer) EXPECT_NE(stats.find(key), nullptr) << key;
}

TEST(MemoryStats, EachDatabaseIsOneKeyOfTheOuterMap) {
  const Stats stats{Server()};
  ASSERT_NE(stats.find("overhead.hashtable.main", 3), nullptr);
  EXPECT_EQ(stats.find("overhead.hashtable.main", 3)->number, 1000);
  EXPECT_EQ(stats.find("overhead.hashtable.expires", 0)->number, 10);
  EXPECT_EQ(memory_stats_map_length({stats.stats.data(), stats.count}), stats.count - 2);
  EXPECT_EQ(memory_stats_map_length({}), 0u);
}

TEST(MemoryStats, OverheadIsWhatTheServerGaveAsOverheadAndTheDatabases) {
  const Stats stats{Server()};
  const int64_t given = (1 << 11) - 1;  // the figures before kReplicationBuffers
  EXPECT_EQ(stats.find("overhead.total")->number, given + 2 * 1010);
  EXPECT_EQ(stats.find("dataset.bytes")->number, (1 << 28) - given - 2 * 1010);
  EXPECT_EQ(stats.find("script.VMs")->number, (1 << 9) + (1 << 10));
}

TEST(MemoryStats, RatiosAreRealNumbersAndBytesAreWhole) {
  const Stats stats{Server()};
  const std::map<std::string, double> ratios = {{"allocator-fragmentation.ratio", 1.25},
                                                {"allocator-rss.ratio", 2.5},
                                                {"fragmentation", 3.0},
                                                {"peak.percentage", 50.0}};
  for (const auto& [key, value] : ratios) {
    ASSERT_NE(stats.find(key), nullptr) << key;
    EXPECT_FALSE(stats.find(key)->is_whole) << key;
    EXPECT_DOUBLE_EQ(stats.find(key)->real, value) << key;
  }
  EXPECT_TRUE(stats.find("rss-overhead.bytes")->is_whole);
  EXPECT_EQ(stats.find("allocator-rss.bytes")->number, 3000);
  const double used = 1 << 28;
  const double dataset = static_cast<double>(stats.find("dataset.bytes")->number);
  EXPECT_DOUBLE_EQ(stats.find("dataset.percentage")->real, dataset * 100 / (used - 1));
  EXPECT_EQ(stats.find("keys.bytes-per-key")->number, ((1 << 28) - 1) / (1 << 17));
}

TEST(MemoryStats, WithoutAServerOnlyTheHeapsKeysAreThere) {
  SnapshotByHand heap;
  heap.add_bytes(kLiveBytes, 100);
  const Stats stats(heap);
  ASSERT_EQ(stats.count, 1u);
  EXPECT_STREQ(stats.stats[0].key, "total.allocated");
  EXPECT_EQ(heap.rendered(render_memory_stats), "total.allocated:100\n");
}

TEST(MemoryStats, OverheadWaitsForTheStartupFigure) {
  SnapshotByHand heap;
  heap.add_bytes(kLiveBytes, 1000);
  heap.add_bytes(metric_name(HostFigure::kClientsNormal), 50);
  EXPECT_EQ(Stats(heap).find("overhead.total"), nullptr);
  heap.add_bytes(metric_name(HostFigure::kStartup), 100);
  EXPECT_EQ(Stats(heap).find("overhead.total")->number, 150);
}

TEST(MemoryStats, ADatasetIsNeverNegative) {
  SnapshotByHand heap;
  heap.add_bytes(kLiveBytes, 100);
  heap.add_bytes(metric_name(HostFigure::kStartup), 1000);
  EXPECT_EQ(Stats(heap).find("dataset.bytes")->number, 0);
  EXPECT_EQ(Stats(heap).find("dataset.percentage"), nullptr) << "of less than nothing";
}

TEST(MemoryStats, WhatDoesNotFitIntoANumberIsNotThere) {
  // As another process may publish it.
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  SnapshotByHand heap;
  heap.add_bytes(kLiveBytes, kMost);
  heap.add_bytes(kPeakBytes, kMost);
  heap.add_bytes(kProcessResidentBytes, -kMost);
  heap.add_bytes(metric_name(HostFigure::kStartup), kMost);
  heap.add_bytes(metric_name(HostFigure::kClientsNormal), kMost);
  heap.add(kDatabase, 1, {kMost + uint64_t{1}, "main"});
  const Stats stats(heap);
  EXPECT_NE(stats.find("total.allocated"), nullptr);
  for (const char* key : {"peak.percentage", "fragmentation.bytes", "overhead.total",
                          "dataset.bytes", "overhead.hashtable.main"})
    EXPECT_EQ(stats.find(key), nullptr) << key;
}

TEST(MemoryStats, CountsWhatTheSpanHasNoRoomFor) {
  const Server server;
  const size_t all = Stats(server).count;
  std::array<MemoryStat, 3> few;
  EXPECT_EQ(fill_memory_stats(server.snapshot(), few), all);
  EXPECT_STREQ(few[2].key, "startup.allocated");
}

TEST(MemoryStats, AsTextEachKeyIsALine) {
  const std::string text = Server().rendered(render_memory_stats);
  EXPECT_EQ(static_cast<size_t>(std::count(text.begin(), text.end(), '\n')), Stats{Server()}.count);
  EXPECT_NE(text.find("\ndb.3.overhead.hashtable.main:1000\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nallocator-rss.ratio:2.500000\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace numaheap::stats

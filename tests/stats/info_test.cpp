#include "numaheap/stats/info.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "numaheap/stats/host_figures.hpp"
#include "snapshot_by_hand.hpp"

namespace numaheap::stats {
namespace {

// A snapshot by hand: rendering needs no registry.
struct Books {
  Metric live{.name = kLiveBytes, .help = "", .unit = Unit::kBytes, .label_keys = {"node"}};
  Metric peak{.name = kPeakBytes, .help = "", .unit = Unit::kBytes};
  Metric peak_time{.name = kPeakTime, .help = "", .unit = Unit::kUnixSeconds};
  Metric rss{.name = kProcessResidentBytes, .help = "", .unit = Unit::kBytes};
  Metric allocated{
      .name = kAllocatedBytes, .help = "", .unit = Unit::kBytes, .label_keys = {"node"}};
  Metric active{.name = kActiveBytes, .help = "", .unit = Unit::kBytes, .label_keys = {"node"}};
  Metric resident{.name = kResidentBytes, .help = "", .unit = Unit::kBytes, .label_keys = {"node"}};
  Metric fragmented{
      .name = kFragmentedBytes, .help = "", .unit = Unit::kBytes, .label_keys = {"node"}};
  Metric system{.name = kSystemMemoryBytes, .help = "", .unit = Unit::kBytes};
  Metric limit{.name = kHardLimitBytes, .help = "", .unit = Unit::kBytes};
  Metric build{.name = kBuild, .help = "", .type = Type::kInfo, .label_keys = {"version"}};
  Metric cached{.name = "numaheap_cached_bytes",
                .help = "",
                .unit = Unit::kBytes,
                .label_keys = {"node", "tier"}};
  Metric local{.name = "numaheap_local_pages", .help = "", .unit = Unit::kMillionths};
  Metric by_class{.name = "numaheap_class_bytes",
                  .help = "",
                  .detail = Detail::kPerClass,
                  .label_keys = {"node", "class"}};

  std::vector<Sample> samples;

  void add(const Metric& metric, int64_t value, std::initializer_list<Label> labels = {}) {
    Sample sample{.metric = &metric, .value = value};
    std::copy(labels.begin(), labels.end(), sample.labels.begin());
    samples.push_back(sample);
  }
  [[nodiscard]] std::string info() const {
    const Snapshot snapshot{.samples = samples};
    std::string text(render_info(snapshot, nullptr, 0), '?');
    EXPECT_EQ(render_info(snapshot, text.data(), text.size() + 1), text.size());
    return text;
  }
  [[nodiscard]] bool has(const std::string& line) const {
    return info().find("\r\n" + line + "\r\n") != std::string::npos;
  }
  [[nodiscard]] bool has_field(const std::string& field) const {
    return info().find("\r\n" + field + ":") != std::string::npos;
  }
};

TEST(Info, AnEmptySnapshotIsAnEmptySection) { EXPECT_EQ(Books{}.info(), "# Memory\r\n"); }

TEST(Info, AddsUpTheNodesForRedisAndShowsEach) {
  Books books;
  books.add(books.live, 1 << 20, {NodeId{0}});
  books.add(books.live, 1 << 19, {NodeId{4}});
  books.add(books.live, 100, {"interleaved"});
  EXPECT_EQ(books.info(),
            "# Memory\r\n"
            "used_memory:1572964\r\n"
            "used_memory_human:1.50M\r\n"
            "numaheap_node0_live:1048576\r\n"
            "numaheap_node4_live:524288\r\n"
            "numaheap_interleaved_live:100\r\n");
}

TEST(Info, ComputesRatiosAsRedisDoes) {
  Books books;
  books.add(books.live, 1000, {NodeId{0}});
  books.add(books.peak, 3000);
  books.add(books.peak_time, 1750000000);
  books.add(books.rss, 4000);
  books.add(books.allocated, 1200, {NodeId{0}});
  books.add(books.active, 1500, {NodeId{0}});
  books.add(books.resident, 4500, {NodeId{0}});
  books.add(books.fragmented, 120, {NodeId{0}});
  for (const char* line :
       {"used_memory_rss:4000", "used_memory_rss_human:3.91K", "used_memory_peak:3000",
        "used_memory_peak_human:2.93K", "used_memory_peak_time:1750000000",
        "used_memory_peak_perc:33.33%", "allocator_allocated:1200", "allocator_active:1500",
        "allocator_resident:4500", "allocator_frag_ratio:1.10", "allocator_frag_bytes:120",
        "allocator_rss_ratio:3.00", "allocator_rss_bytes:3000", "rss_overhead_ratio:0.89",
        "rss_overhead_bytes:-500", "mem_fragmentation_ratio:4.00",
        "mem_fragmentation_bytes:3000"}) {
    EXPECT_TRUE(books.has(line)) << line << " is missing in\n" << books.info();
  }
}

TEST(Info, LeavesOutWhatItCannotKnow) {
  Books books;
  books.add(books.live, 0, {NodeId{0}});
  books.add(books.rss, 4000);
  EXPECT_TRUE(books.has("used_memory:0"));
  EXPECT_TRUE(books.has("mem_fragmentation_bytes:4000"));
  for (const char* field :
       {"mem_fragmentation_ratio", "used_memory_peak", "used_memory_peak_perc", "maxmemory",
        "allocator_frag_ratio", "allocator_frag_bytes", "rss_overhead_ratio", "mem_allocator"}) {
    EXPECT_FALSE(books.has_field(field)) << field;
  }
}

TEST(Info, ShowsALimitOnlyWhileOneIsSet) {
  Books books;
  books.add(books.system, int64_t{16} << 30);
  EXPECT_FALSE(books.has_field("maxmemory"));
  books.add(books.limit, int64_t{2} << 30);
  EXPECT_TRUE(books.has("maxmemory:2147483648"));
  EXPECT_TRUE(books.has("maxmemory_human:2.00G"));
  EXPECT_TRUE(books.has("total_system_memory_human:16.00G"));
}

TEST(Info, NamesTheAllocator) {
  Books books;
  books.add(books.build, 1, {"numaheap-1.2.3"});
  EXPECT_TRUE(books.has("mem_allocator:numaheap-1.2.3"));
}

TEST(Info, HasTheFieldsOfRedisInTheirOrder) {
  // As Debian's redis-server 7.0.15 answers INFO memory, without *_human, what is text, and used_memory_lua, whose
  // newer name stands beside it.
  const std::vector<std::string> redis = {"used_memory",
                                          "used_memory_rss",
                                          "used_memory_peak",
                                          "used_memory_peak_perc",
                                          "used_memory_overhead",
                                          "used_memory_startup",
                                          "used_memory_dataset",
                                          "used_memory_dataset_perc",
                                          "allocator_allocated",
                                          "allocator_active",
                                          "allocator_resident",
                                          "total_system_memory",
                                          "used_memory_vm_eval",
                                          "used_memory_scripts_eval",
                                          "number_of_cached_scripts",
                                          "number_of_functions",
                                          "number_of_libraries",
                                          "used_memory_vm_functions",
                                          "used_memory_vm_total",
                                          "used_memory_functions",
                                          "used_memory_scripts",
                                          "maxmemory",
                                          "allocator_frag_ratio",
                                          "allocator_frag_bytes",
                                          "allocator_rss_ratio",
                                          "allocator_rss_bytes",
                                          "rss_overhead_ratio",
                                          "rss_overhead_bytes",
                                          "mem_fragmentation_ratio",
                                          "mem_fragmentation_bytes",
                                          "mem_not_counted_for_evict",
                                          "mem_replication_backlog",
                                          "mem_total_replication_buffers",
                                          "mem_clients_slaves",
                                          "mem_clients_normal",
                                          "mem_cluster_links",
                                          "mem_aof_buffer",
                                          "active_defrag_running",
                                          "lazyfree_pending_objects",
                                          "lazyfreed_objects"};
  tests::SnapshotByHand books;
  for (const char* metric :
       {kLiveBytes, kPeakBytes, kProcessResidentBytes, kAllocatedBytes, kActiveBytes,
        kResidentBytes, kFragmentedBytes, kSystemMemoryBytes, kHardLimitBytes, kDefragCpuRatio,
        kLazyfreePendingObjects, kLazyfreedObjects}) {
    books.add_bytes(metric, 1000);
  }
  for (size_t i = 0; i < kHostFigures; ++i)
    books.add_bytes(metric_name(static_cast<HostFigure>(i)), 10);
  const std::string info = books.rendered(render_info);
  std::vector<std::string> fields;
  for (size_t at = info.find("\r\n"); at + 2 < info.size(); at = info.find("\r\n", at + 2)) {
    const std::string field = info.substr(at + 2, info.find(':', at) - at - 2);
    if (std::find(redis.begin(), redis.end(), field) != redis.end()) fields.push_back(field);
  }
  EXPECT_EQ(fields, redis);
}

TEST(Info, ShowsWhatTheBackgroundDoesOnceItIsThere) {
  Books books;
  EXPECT_FALSE(books.has_field("active_defrag_running"));
  const Metric cpu{.name = kDefragCpuRatio, .help = "", .unit = Unit::kMillionths};
  const Metric pending{.name = kLazyfreePendingObjects, .help = "", .label_keys = {"node"}};
  books.add(cpu, 250'000);
  books.add(pending, 3, {NodeId{0}});
  books.add(pending, 4, {NodeId{1}});
  EXPECT_TRUE(books.has("active_defrag_running:25")) << books.info();
  EXPECT_TRUE(books.has("lazyfree_pending_objects:7"));
}

TEST(Info, ALabelCannotForgeAField) {
  Books books;
  books.add(books.cached, 1, {"a\r\nused_memory:9", "thread"});
  EXPECT_FALSE(books.has_field("used_memory")) << books.info();
}

TEST(Info, ShowsEveryOtherSummaryMetricUnderItsOwnName) {
  Books books;
  books.add(books.cached, 64, {NodeId{2}, "thread"});
  books.add(books.local, 987'000);
  books.add(books.by_class, 5, {NodeId{0}, uint64_t{64}});
  EXPECT_EQ(books.info(),
            "# Memory\r\nnumaheap_node2_cached_thread:64\r\nnumaheap_local_pages:0.99\r\n");
}

TEST(Info, CutsTheTextAtTheEndOfTheBufferAndSaysHowLongItIs) {
  Books books;
  books.add(books.live, 1 << 20, {NodeId{0}});
  const std::string whole = books.info();
  const Snapshot snapshot{.samples = books.samples};
  for (size_t size = 1; size <= whole.size() + 1; ++size) {
    std::vector<char> buffer(size + 1, '#');
    EXPECT_EQ(render_info(snapshot, buffer.data(), size), whole.size());
    EXPECT_EQ(std::string(buffer.data()), whole.substr(0, size - 1));
    EXPECT_EQ(buffer[size], '#');
  }
}

}  // namespace
}  // namespace numaheap::stats

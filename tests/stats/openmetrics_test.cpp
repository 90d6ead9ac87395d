#include "numaheap/stats/openmetrics.hpp"

#include <gtest/gtest.h>

#include <random>

#include "numaheap/stats/host_figures.hpp"
#include "numaheap/stats/info.hpp"
#include "openmetrics_parser.hpp"
#include "snapshot_by_hand.hpp"

namespace numaheap::stats {
namespace {

using tests::OpenMetricsParser;
using tests::SnapshotByHand;

const Metric kLive{
    .name = kLiveBytes, .help = "In use.", .unit = Unit::kBytes, .label_keys = {"node"}};
const Metric kCached{.name = "numaheap_cached_bytes",
                     .help = "In caches.",
                     .unit = Unit::kBytes,
                     .label_keys = {"node", "tier"}};
const Metric kPurged{.name = "numaheap_purged_bytes",
                     .help = "Given back.",
                     .unit = Unit::kBytes,
                     .type = Type::kCounter};
const Metric kVersion{
    .name = kBuild, .help = "Which one.", .type = Type::kInfo, .label_keys = {"version"}};
const Metric kWait{
    .name = "numaheap_wait_seconds", .help = "How long.", .unit = Unit::kNanoseconds};
const Metric kLocal{.name = "numaheap_local_ratio",
                    .help = "Share.",
                    .unit = Unit::kMillionths,
                    .source = Source::kEstimate};

double value(const OpenMetricsParser& parsed, const std::string& family,
             const std::string& series) {
  const auto found = parsed.families.find(family);
  if (found == parsed.families.end() || found->second.samples.count(series) == 0) {
    ADD_FAILURE() << "there is no " << series << " in " << family;
    return -1;
  }
  return found->second.samples.at(series);
}

OpenMetricsParser parsed(const SnapshotByHand& books) {
  return OpenMetricsParser(books.rendered(render_openmetrics));
}

TEST(OpenMetrics, AnEmptySnapshotIsWellFormed) {
  EXPECT_DOUBLE_EQ(
      value(parsed({}), "numaheap_snapshot_scan_seconds", "numaheap_snapshot_scan_seconds"), 42e-6);
}

TEST(OpenMetrics, SamplesOfAGroupAreSortedIntoFamilies) {
  SnapshotByHand books;
  for (unsigned node : {0u, 1u, 2u}) {  // as a read function emits them: node by node
    books.add(kLive, 100 + node, {NodeId{node}});
    books.add(kCached, 10 + node, {NodeId{node}, "thread"});
    books.add(kCached, 20 + node, {NodeId{node}, "node"});
  }
  const OpenMetricsParser text = parsed(books);  // refuses families in pieces
  EXPECT_EQ(value(text, kLiveBytes, "numaheap_live_bytes{node=2}"), 102);
  EXPECT_EQ(value(text, "numaheap_cached_bytes", "numaheap_cached_bytes{node=1,tier=node}"), 21);
  EXPECT_EQ(text.families.at("numaheap_cached_bytes").samples.size(), 6u);
}

TEST(OpenMetrics, ValuesAreInBaseUnits) {
  SnapshotByHand books;
  books.add(kWait, 1'500'000);
  books.add(kLocal, 250'000);
  const OpenMetricsParser text = parsed(books);
  EXPECT_DOUBLE_EQ(value(text, "numaheap_wait_seconds", "numaheap_wait_seconds"), 0.0015);
  EXPECT_DOUBLE_EQ(value(text, "numaheap_local_ratio", "numaheap_local_ratio"), 0.25);
  EXPECT_EQ(text.families.at("numaheap_wait_seconds").unit, "seconds");
  EXPECT_EQ(text.families.at("numaheap_local_ratio").unit, "ratio");
}

TEST(OpenMetrics, TypesHaveTheirSuffixesAndHelpEndsWithTheSource) {
  SnapshotByHand books;
  books.add(kPurged, 7);
  books.add(kVersion, 1, {"numaheap-1"});
  books.add(kLocal, 0);
  const OpenMetricsParser text = parsed(books);
  EXPECT_EQ(value(text, "numaheap_purged_bytes", "numaheap_purged_bytes_total"), 7);
  EXPECT_EQ(text.families.at("numaheap_purged_bytes").type, "counter");
  EXPECT_EQ(value(text, kBuild, "numaheap_build_info{version=numaheap-1}"), 1);
  EXPECT_EQ(text.families.at("numaheap_local_ratio").help, "Share. Source: estimate.");
}

TEST(OpenMetrics, RedisFiguresHaveTheNamesThatItsExporterGivesThem) {
  SnapshotByHand books;
  books.add(kLive, 600, {NodeId{0}});
  books.add(kLive, 400, {NodeId{1}});
  books.add_bytes(kProcessResidentBytes, 2500);
  books.add_bytes(kPeakBytes, 1200);
  books.add_bytes(metric_name(HostFigure::kStartup), 100);
  books.add_bytes(metric_name(HostFigure::kClientsNormal), 50);
  const OpenMetricsParser text = parsed(books);
  EXPECT_EQ(value(text, "redis_memory_used_bytes", "redis_memory_used_bytes"), 1000);
  EXPECT_EQ(value(text, "redis_memory_used_rss_bytes", "redis_memory_used_rss_bytes"), 2500);
  EXPECT_EQ(value(text, "redis_memory_used_peak_bytes", "redis_memory_used_peak_bytes"), 1200);
  EXPECT_EQ(value(text, "redis_memory_used_overhead_bytes", "redis_memory_used_overhead_bytes"),
            150);
  EXPECT_EQ(value(text, "redis_mem_fragmentation_ratio", "redis_mem_fragmentation_ratio"), 2.5);
  EXPECT_EQ(value(text, "redis_mem_clients_normal", "redis_mem_clients_normal"), 50);
  EXPECT_EQ(text.families.at("redis_memory_used_bytes").unit, "bytes");
  EXPECT_EQ(text.families.count("redis_allocator_active_bytes"), 0u) << "nobody knows it";
}

TEST(OpenMetrics, AFigureThatWasKeptHasAnAge) {
  SnapshotByHand books;
  books.add(kCached, 1, {NodeId{0}, "node"}, std::chrono::milliseconds(50));
  books.add(kLive, 1, {NodeId{0}});
  books.add(kCached, 1, {NodeId{1}, "node"}, std::chrono::milliseconds(250));
  const OpenMetricsParser text = parsed(books);
  const auto& ages = text.families.at("numaheap_sample_age_seconds").samples;
  ASSERT_EQ(ages.size(), 1u);
  EXPECT_DOUBLE_EQ(ages.at("numaheap_sample_age_seconds{metric=numaheap_cached_bytes}"), 0.25);
}

TEST(OpenMetrics, AnyTextInALabelIsReadBackAsItWas) {
  const std::string tricky = "a\"b\\c\nd{e=\"f\"} 1 # caf\xC3\xA9";
  SnapshotByHand books;
  books.add(kLive, 1, {tricky.c_str()});
  EXPECT_EQ(value(parsed(books), kLiveBytes, "numaheap_live_bytes{node=" + tricky + "}"), 1);
}

TEST(OpenMetrics, RandomLabelsNeverBreakTheDocument) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string label(random() % 10, '\0');
    for (char& c : label) c = static_cast<char>("\"\\\n{},= \x80\xFFnab#\t"[random() % 15]);
    SnapshotByHand books;
    books.add(kLive, 1, {label.c_str()});
    ASSERT_NO_THROW(parsed(books)) << books.rendered(render_openmetrics);
  }
}

TEST(OpenMetrics, TheOlderFormatNamesFamiliesAsTheirSamples) {
  SnapshotByHand books;
  books.add(kPurged, 7);
  books.add(kVersion, 1, {"v"});
  const std::string text = books.rendered(render_prometheus);
  EXPECT_NE(text.find("# TYPE numaheap_purged_bytes_total counter\n"), std::string::npos) << text;
  EXPECT_NE(text.find("# TYPE numaheap_build_info gauge\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("# EOF"), std::string::npos);
  EXPECT_EQ(text.find("# UNIT"), std::string::npos);
}

TEST(OpenMetrics, TheParserOfTheseTestsRefusesWhatIsWrong) {
  const std::string family = "# TYPE a_bytes gauge\n# UNIT a_bytes bytes\n# HELP a_bytes A.\n";
  EXPECT_NO_THROW(OpenMetricsParser(family + "a_bytes{b=\"c\"} 1\n# EOF\n"));
  for (const char* wrong :
       {"a_bytes 1\n", "a_bytes  1\n# EOF\n", "a_bytes 1\n\n# EOF\n", "a_bytes_total 1\n# EOF\n",
        "a_bytes{b=\"c\"} 1\na_bytes{b=\"c\"} 2\n# EOF\n", "a_bytes{b=\"c} 1\n# EOF\n",
        "a_bytes{b=\"\\x\"} 1\n# EOF\n", "a_bytes 1 \n# EOF\n", "a_bytes one\n# EOF\n",
        "# TYPE a_bytes gauge\n# EOF\n", "a_bytes 1\n# EOF\na_bytes 2\n",
        "a_bytes 1\n# TYPE b gauge\nb 1\n# HELP a_bytes Again.\n# EOF\n",
        "# TYPE b counter\nb_total -1\n# EOF\n", "# TYPE b info\nb_info 2\n# EOF\n",
        "# TYPE b gauge\n# UNIT b seconds\nb 1\n# EOF\n"}) {
    EXPECT_THROW(OpenMetricsParser(family + wrong), std::runtime_error) << wrong;
  }
}

}  // namespace
}  // namespace numaheap::stats

#include "numaheap/stats/json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "snapshot_by_hand.hpp"

namespace numaheap::stats {
namespace {

using nlohmann::json;
using tests::SnapshotByHand;

const Metric kLive{.name = "numaheap_live_bytes",
                   .help = "In use.",
                   .unit = Unit::kBytes,
                   .source = Source::kEstimate,
                   .label_keys = {"node", "tier"}};
const Metric kLimit{.name = "numaheap_hard_limit_bytes", .help = "Limit.", .unit = Unit::kBytes};

TEST(Json, AnEmptySnapshotIsWellFormed) {
  const json document = json::parse(SnapshotByHand().rendered(render_json));
  EXPECT_TRUE(document["samples"].empty());
  EXPECT_TRUE(document["absent"].empty());
  EXPECT_EQ(document["scan_ns"], 42000);
  EXPECT_EQ(document["left_out"], 0);
}

TEST(Json, ASampleHasNameLabelsValueUnitTypeSourceAndAge) {
  SnapshotByHand books;
  books.add(kLive, int64_t{1} << 60, {NodeId{4}, "thread"}, std::chrono::milliseconds(3));
  const json sample = json::parse(books.rendered(render_json))["samples"][0];
  EXPECT_EQ(sample, (json{{"name", "numaheap_live_bytes"},
                          {"labels", {{"node", 4}, {"tier", "thread"}}},
                          {"value", int64_t{1} << 60},
                          {"unit", "bytes"},
                          {"type", "gauge"},
                          {"source", "estimate"},
                          {"age_ns", 3000000}}));
}

TEST(Json, SaysWhyAMetricHasNoSample) {
  SnapshotByHand books;
  books.add_absent(kLimit, "no \"limit\" is set");
  const json absent = json::parse(books.rendered(render_json))["absent"];
  ASSERT_EQ(absent.size(), 1u);
  EXPECT_EQ(absent[0]["name"], "numaheap_hard_limit_bytes");
  EXPECT_EQ(absent[0]["why"], "no \"limit\" is set");
  EXPECT_EQ(absent[0]["unit"], "bytes");
}

TEST(Json, LabelsOfAnyBytesAndWithoutValueAreWellFormed) {
  SnapshotByHand books;
  books.add(kLive, -1, {"a\"b\\\n\x01\xFF", Label()});
  const json labels = json::parse(books.rendered(render_json))["samples"][0]["labels"];
  EXPECT_EQ(labels["node"], "a\"b\\\n\x01\xEF\xBF\xBD");
  EXPECT_TRUE(labels["tier"].is_null());
}

TEST(Json, KeepsManySamplesInTheirOrder) {
  SnapshotByHand books;
  for (int64_t i = 0; i < 1000; ++i) books.add(kLive, i, {static_cast<uint64_t>(i), "node"});
  books.left_out = 7;
  const json document = json::parse(books.rendered(render_json));
  ASSERT_EQ(document["samples"].size(), 1000u);
  for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(document["samples"][i]["value"], i);
  EXPECT_EQ(document["left_out"], 7);
}

}  // namespace
}  // namespace numaheap::stats

// numaheap topo --measure and --selftest. Of the values only the shape is checked.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "child_process.hpp"

namespace numaheap::tests {
namespace {

using nlohmann::json;

Finished topo(const Command& arguments) {
  Command command = {NUMAHEAP_COMMAND, "topo"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run(command);
}

/// A number, or an object with the reason why there is none.
void expect_measured(const json& cell) {
  if (cell.is_number()) {
    EXPECT_GT(cell.get<double>(), 0);
  } else {
    EXPECT_NE(cell.at("not_measured").get<std::string>(), "");
  }
}

TEST(NumaheapMeasure, PrintsMatricesOfAllPairsOfNodesAndWritesThemForHwloc) {
  const TemporaryDirectory directory;
  const std::string xml = directory / "measured.xml";
  const Finished finished = topo({"--measure", "--json", "--xml", xml});
  ASSERT_EQ(finished.status, 0) << finished.err;
  const json measured = json::parse(finished.out)["measured"];
  ASSERT_GE(measured["from"].size(), 1u);
  ASSERT_GE(measured["to"].size(), 1u);
  for (const char* table : {"idle_latency_ns", "bandwidth_mb_per_s"}) {
    ASSERT_EQ(measured[table].size(), measured["from"].size());
    for (const json& row : measured[table]) {
      ASSERT_EQ(row.size(), measured["to"].size());
      for (const json& cell : row) expect_measured(cell);
    }
  }
  ASSERT_EQ(measured["peak_mb_per_s"].size(), measured["loaded_latency"].size());
  for (const json& node : measured["peak_mb_per_s"]) {
    for (const char* mix : {"all reads", "3:1 reads-writes", "2:1 reads-writes", "1:1 reads-writes",
                            "stream-triad like"})
      expect_measured(node.at(mix));
  }
  for (const json& node : measured["loaded_latency"]) {
    EXPECT_GT(node["points"].size(), 3u);
    for (const json& point : node["points"]) expect_measured(point["latency_ns"]);
  }

  const json loaded = json::parse(topo({"--json", "--source", "xml:" + xml}).out);
  EXPECT_EQ(loaded["is_measured"], true);
  const json& seen = loaded["nodes"][0]["seen_from"][0];
  EXPECT_NEAR(seen["latency_ns"].get<double>(), measured["idle_latency_ns"][0][0].get<double>(),
              0.51);
  EXPECT_NEAR(seen["bandwidth_mib_per_s"].get<double>() * 1.048576,
              measured["bandwidth_mb_per_s"][0][0].get<double>(), 1.1);
  const std::string text = topo({"--source", "xml:" + xml}).out;
  EXPECT_NE(text.find("\nBandwidth as measured, MiB/s\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nLatency as measured, ns\n"), std::string::npos) << text;
}

TEST(NumaheapMeasure, SaysHowFarTheMeterIsOffAndWhatItIs) {
  const json meter = json::parse(topo({"--selftest", "--json"}).out)["meter"];
  EXPECT_NE(meter["source"].get<std::string>(), "");
  ASSERT_GE(meter["nodes"].size(), 1u);
  const json& node = meter["nodes"][0];
  EXPECT_GE(node["moved_bytes"].get<uint64_t>(), uint64_t{4} << 30);
  EXPECT_NE(node.contains("off"), node.contains("not_measured"));
  if (meter["source"] == "own_books") {
    EXPECT_EQ(meter["not_used"].size(), 5u);
    EXPECT_EQ(node["off"], 0);
  }
}

TEST(NumaheapMeasure, EndsWithWhatItHasWhenItIsInterrupted) {
  const TemporaryDirectory directory;
  ChildProcess child({"timeout", "--signal=INT", "--foreground", "3", NUMAHEAP_COMMAND, "topo",
                      "--measure", "--full"},
                     {}, directory / "log");
  while (child.is_running()) run({"sleep", "0.1"});
  EXPECT_NE(child.log().find("interrupted\n"), std::string::npos) << child.log();
  EXPECT_NE(child.log().find("\nNot measured\n"), std::string::npos);
}

TEST(NumaheapMeasure, RefusesWhatDoesNotGoTogether) {
  for (const Command& arguments : {Command{"--full"}, Command{"--xml", "x.xml"},
                                   Command{"--measure", "--source", "numa:2 pu:1"},
                                   Command{"--selftest", "--source", "live"}}) {
    const Finished finished = topo(arguments);
    EXPECT_EQ(finished.status, 2);
    EXPECT_EQ(finished.out, "");
    EXPECT_NE(finished.err.find("Run with --help for more information."), std::string::npos)
        << finished.err;
  }
  const Finished unwritable = topo({"--measure", "--xml", "/nowhere/x.xml"});
  EXPECT_EQ(unwritable.status, 125);
  EXPECT_EQ(unwritable.err,
            "numaheap topo: --xml \"/nowhere/x.xml\": the file cannot be written\n");
}

}  // namespace
}  // namespace numaheap::tests

// A measurement of the live machine, written and loaded again: labelled numa.
#include "numaheap/numa/measured_xml.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "numaheap/numa/topology.hpp"
#include "on_nodes.hpp"

namespace numaheap::numa {
namespace {

/// A file that is gone with the test.
struct TemporaryFile {
  TemporaryFile() {
    char name[] = "/tmp/numaheap-xml-XXXXXX";
    const int descriptor = mkstemp(name);
    if (descriptor < 0) std::abort();
    close(descriptor);
    path = name;
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
  std::string path;
};

/// As if every pair of this machine's nodes had been measured, each with values of its own.
Measurement invented() {
  Measurement measured;
  measured.from = tests::nodes_to_run_on();
  measured.to = tests::members(read_machine().with_memory);
  for (size_t i = 0; i < measured.from.size() * measured.to.size(); ++i) {
    measured.latency_ns.push_back({80.4 + static_cast<double>(i), {}});
    measured.mb_per_s.push_back({10485.76 * static_cast<double>(i + 1), {}});
  }
  return measured;
}

TEST(MeasuredXml, IsLoadedAgainAsTheNodesFigures) {
  const Measurement measured = invented();
  const TemporaryFile file;
  const Status written = write_measured_xml(measured, file.path);
  ASSERT_TRUE(written) << written.error().text;
  const auto topology = Topology::load("xml:" + file.path);
  ASSERT_TRUE(topology) << topology.error().text;
  EXPECT_TRUE(topology->is_measured());
  for (size_t row = 0; row < measured.from.size(); ++row) {
    for (size_t column = 0; column < measured.to.size(); ++column) {
      const TopologyNode* to = topology->node(measured.to[column]);
      ASSERT_NE(to, nullptr);
      ASSERT_EQ(to->figures.size(), measured.from.size());
      EXPECT_EQ(to->figures[row].from, measured.from[row]);
      EXPECT_EQ(to->figures[row].latency_ns,
                static_cast<uint64_t>(std::llround(*measured.latency(row, column).value)));
      EXPECT_EQ(to->figures[row].bandwidth_mib_per_s,
                10000 * (row * measured.to.size() + column + 1));
    }
  }
  const auto live = Topology::load("live");
  ASSERT_TRUE(live);
  EXPECT_FALSE(live->is_measured());
  EXPECT_EQ(topology->distance(measured.from[0], measured.to.back()),
            live->distance(measured.from[0], measured.to.back()))
      << "SLIT's distances stay";
}

TEST(MeasuredXml, LeavesOutWhatHasNoValue) {
  Measurement measured = invented();
  measured.latency_ns[0] = {std::nullopt, "interrupted"};
  const TemporaryFile file;
  ASSERT_TRUE(write_measured_xml(measured, file.path));
  const auto topology = Topology::load("xml:" + file.path);
  ASSERT_TRUE(topology);
  EXPECT_TRUE(topology->node(measured.to[0])->figures[0].bandwidth_mib_per_s);
  std::ifstream in(file.path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(text.find("MeasuredLatency"), std::string::npos) << "a matrix is whole or not there";
}

TEST(MeasuredXml, HasAMatrixOfDistancesForOtherTools) {
  NH_NEEDS_NODES(2);
  const TemporaryFile file;
  ASSERT_TRUE(write_measured_xml(invented(), file.path));
  std::ifstream in(file.path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(text.find("name=\"MeasuredLatency\""), std::string::npos);
}

TEST(MeasuredXml, RefusesWhatIsNoMeasurementAndWhatCannotBeWritten) {
  Measurement nothing = invented();
  for (auto* table : {&nothing.latency_ns, &nothing.mb_per_s}) {
    for (Measured& cell : *table) cell = {std::nullopt, "interrupted"};
  }
  const TemporaryFile file;
  Status refused = write_measured_xml(nothing, file.path);
  ASSERT_FALSE(refused);
  EXPECT_STREQ(refused.error().text, "nothing was measured");
  const Status unwritable = write_measured_xml(invented(), "/nowhere/topology.xml");
  ASSERT_FALSE(unwritable);
  EXPECT_STREQ(unwritable.error().text, "the file cannot be written");
  ASSERT_EQ(setenv("HWLOC_SYNTHETIC", "numa:2 pu:1", 1), 0);
  const Status elsewhere = write_measured_xml(invented(), file.path);
  ASSERT_EQ(unsetenv("HWLOC_SYNTHETIC"), 0);
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace numaheap::numa

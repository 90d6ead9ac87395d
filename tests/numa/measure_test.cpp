// What is measured on the live machine: labelled numa. Of the values only the shape is checked.
#include "numaheap/numa/measure.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "numa/bound_memory.hpp"
#include "numa/cpu_team.hpp"
#include "numa/memory_traffic.hpp"
#include "on_nodes.hpp"

namespace numaheap::numa {
namespace {

using namespace std::chrono_literals;
using tests::pages_by_node;

MeasureOptions tiny() {
  MeasureOptions options;
  options.chain = MiB(4);
  options.traffic = MiB(8);
  options.time = 10ms;
  options.delays = {0, 1000};
  return options;
}

TEST(Measure, FillsTheFourTablesForAllPairsOfNodes) {
  const Measurement measured = measure(tiny());
  EXPECT_EQ(measured.from, tests::nodes_to_run_on());
  EXPECT_EQ(measured.to, tests::members(read_machine().with_memory));
  const size_t pairs = measured.from.size() * measured.to.size();
  ASSERT_EQ(measured.latency_ns.size(), pairs);
  ASSERT_EQ(measured.mb_per_s.size(), pairs);
  for (const auto* table : {&measured.latency_ns, &measured.mb_per_s}) {
    for (const Measured& cell : *table) {
      ASSERT_TRUE(cell.value) << cell.reason;
      EXPECT_GT(*cell.value, 0);
      EXPECT_TRUE(cell.reason.empty());
    }
  }
  ASSERT_EQ(measured.peaks.size(), measured.from.size());
  for (const NodePeak& peak : measured.peaks) {
    for (const Measured& mix : peak.mb_per_s) EXPECT_GT(mix.value.value_or(0), 0) << mix.reason;
  }
  ASSERT_EQ(measured.loaded.size(), measured.from.size());
  for (const LoadedLatency& node : measured.loaded) {
    ASSERT_EQ(node.points.size(), 2u);
    EXPECT_EQ(node.points[1].delay, 1000u);
    for (const LoadedPoint& point : node.points) {
      EXPECT_EQ(point.latency_ns.value.has_value(), point.latency_ns.reason.empty());
      EXPECT_EQ(point.mb_per_s.value.has_value(), point.mb_per_s.reason.empty());
    }
  }
}

TEST(Measure, HasAWordForEachCellWhenItIsInterrupted) {
  const std::atomic<bool> stop{true};
  MeasureOptions options = tiny();
  options.stop = &stop;
  const Measurement measured = measure(options);
  ASSERT_FALSE(measured.latency_ns.empty());
  for (const auto* table : {&measured.latency_ns, &measured.mb_per_s}) {
    for (const Measured& cell : *table) {
      EXPECT_FALSE(cell.value);
      EXPECT_EQ(cell.reason, "interrupted");
    }
  }
}

TEST(Measure, ShrinksItsBuffersToWhatANodeHasFree) {
  MeasureOptions options = tiny();
  options.chain = MiB(8);
  options.traffic = TiB(64);
  options.time = 1ms;
  const Measurement measured = measure(options);
  ASSERT_FALSE(measured.latency_ns.empty());
  EXPECT_EQ(measured.latency(0, 0).reason, "the node has too little free memory");
  EXPECT_NE(measured.notes[0].find(" has little free memory"), std::string::npos)
      << measured.notes[0];
}

TEST(BoundMemory, LiesOnItsNode) {
  for (NodeId node : tests::nodes_with_memory()) {
    std::string problem;
    const BoundMemory memory = BoundMemory::on(node, MiB(6), problem);
    ASSERT_NE(memory.data(), nullptr) << problem;
    EXPECT_EQ(memory.size(), MiB(6).value);
    auto pages = pages_by_node(memory.data(), memory.size());
    EXPECT_EQ(pages[node], memory.size() / 4096);
    EXPECT_GT(free_memory(node), MiB(1));
  }
  std::string problem;
  EXPECT_EQ(BoundMemory::on(NodeId{kMaxNodes - 1}, MiB(2), problem).data(), nullptr);
  EXPECT_EQ(problem, "the node has no memory");
}

TEST(BoundMemory, IsRefusedRatherThanTakenFromAnotherNode) {
  NH_NEEDS_NODES(2);
  NH_NEEDS_VM();
  const NodeId node = tests::nodes_with_memory()[0];
  std::string problem;
  const Bytes more = free_memory(node) + MiB(32);
  EXPECT_EQ(BoundMemory::on(node, more, problem).data(), nullptr);
  EXPECT_NE(problem.find(" % of the memory came to lie on the node: it is full"), std::string::npos)
      << problem;
}

TEST(MemoryTraffic, AChainIsOneCycleThroughAllLines) {
  constexpr size_t kLines = 1000;
  alignas(kLineBytes) static char memory[kLines * kLineBytes];
  std::set<void*> seen;
  void* at = make_chain(memory, sizeof memory);
  while (seen.insert(at).second) at = *static_cast<void**>(at);
  EXPECT_EQ(seen.size(), kLines);
  EXPECT_EQ(at, memory);
}

TEST(MemoryTraffic, CountsTheBytesThatGoOverTheBus) {
  // One round over memory of three pieces of 64 KiB, stopped by the flag as soon as it has begun the second one.
  constexpr size_t kBytes = size_t{192} << 10;
  alignas(4096) static char memory[kBytes];
  struct Expected {
    Mix mix;
    double per_line;  // lines over the bus for a line of the stream
  };
  for (const Expected& expected :
       {Expected{Mix::kReads, 1}, Expected{Mix::kThreeToOne, 1 + 1. / 3},
        Expected{Mix::kTwoToOne, 1.5}, Expected{Mix::kOneToOne, 2}, Expected{Mix::kTriad, 3}}) {
    const unsigned cpu = 0;
    uint64_t moved = 0;
    const TeamResult team = run_team({&cpu, 1}, 1ms, [&](size_t, const std::atomic<bool>& stop) {
      moved = stream(expected.mix, memory, kBytes, 0, stop);
      return moved;
    });
    ASSERT_TRUE(team.problem.empty()) << team.problem;
    // Whole pieces of 1024 lines.
    const double pieces = static_cast<double>(moved) / (expected.per_line * 1024 * kLineBytes);
    EXPECT_GT(moved, 0u);
    EXPECT_NEAR(pieces, std::round(pieces), 0.001 * pieces) << static_cast<int>(expected.mix);
  }
}

TEST(CpuTeam, RunsEachMemberOnItsCpu) {
  const unsigned cpu = static_cast<unsigned>(sched_getcpu());
  std::vector<unsigned> cpus = {cpu, cpu};
  std::atomic<unsigned> elsewhere{0};
  const TeamResult team = run_team(cpus, 2ms, [&](size_t, const std::atomic<bool>& stop) {
    uint64_t rounds = 0;
    while (!stop.load()) ++rounds;
    if (static_cast<unsigned>(sched_getcpu()) != cpu) ++elsewhere;
    return rounds + 1;
  });
  EXPECT_EQ(team.problem, "");
  ASSERT_EQ(team.per_second.size(), 2u);
  EXPECT_GT(team.per_second[0], 0);
  EXPECT_GE(team.per_cpu_second[0] * 1.01, team.per_second[0]) << "they share the CPU";
  EXPECT_EQ(elsewhere, 0u);
  cpus[1] = 8191;
  EXPECT_EQ(
      run_team(cpus, 2ms, [](size_t, const std::atomic<bool>&) { return uint64_t{1}; }).problem,
      "a thread could not be put on its CPU");
}

TEST(Selftest, SaysHowFarAMeterIsOff) {
  const auto now = BandwidthMeter::TimePoint::clock::now();
  BandwidthMeter meter = BandwidthMeter::start(now, {.best = BandwidthSource::kOwnBooks});
  const auto rows = selftest(meter, MiB(16));
  ASSERT_EQ(rows.size(), tests::nodes_to_run_on().size());
  for (const SelftestRow& row : rows) {
    EXPECT_GE(row.moved, MiB(16));
    ASSERT_TRUE(row.off) << row.reason;
    EXPECT_EQ(row.measured, row.moved.value) << "it was told";
    EXPECT_DOUBLE_EQ(*row.off, 0);
  }
}

}  // namespace
}  // namespace numaheap::numa

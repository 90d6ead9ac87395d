#include "numaheap/numa/bandwidth_meter.hpp"

#include <gtest/gtest.h>

#include <array>

#include "metered_machine.hpp"
#include "numaheap/numa/own_traffic.hpp"
#include "numaheap/stats/registry.hpp"

namespace numaheap::numa {
namespace {

using namespace std::chrono_literals;
using stats::PerfEvent;
using stats::PerfTarget;
using tests::FakeEventSources;
using tests::FakePerfKernel;
using tests::kStart;
using tests::one_second;
using tests::start_meter;
using tests::TwoSockets;

TEST(BandwidthMeter, AddsUpTheChannelsOfEachSocketsMemoryController) {
  TwoSockets machine;
  machine.add_intel_channel(0, "0,4", 14);
  machine.add_intel_channel(1, "0,4", 15);
  FakePerfKernel kernel;
  BandwidthMeter meter = start_meter(machine, kernel);
  ASSERT_EQ(meter.source(), BandwidthSource::kImc);
  EXPECT_TRUE(meter.refusals().empty());
  ASSERT_EQ(kernel.opened().size(), 8u) << "2 channels, reads and writes, 2 sockets";
  for (const auto& [descriptor, opened] : kernel.opened()) EXPECT_EQ(opened.target.process, -1);

  one_second(kernel, [](const PerfEvent& event, const PerfTarget& target) {
    const bool is_read = event.config == 0x304;
    return static_cast<uint64_t>(target.cpu == 0 ? (is_read ? 1'000'000 : 250'000) : 10);
  });
  const BandwidthReading& reading = meter.read(kStart + 500ms);
  EXPECT_EQ(reading.interval, 500ms);
  EXPECT_EQ(reading.node(NodeId{0})->bytes, 2 * 1'250'000u * 64);
  EXPECT_EQ(reading.node(NodeId{0})->bytes_per_second, 4 * 1'250'000u * 64);
  EXPECT_EQ(reading.node(NodeId{1})->bytes, 4 * 10u * 64);
  EXPECT_EQ(reading.node(NodeId{2}), nullptr);
}

TEST(BandwidthMeter, GivesTheLastReadingToWhoReadsTooSoon) {
  TwoSockets machine;
  machine.add_intel_channel(0, "0,4", 14);
  FakePerfKernel kernel;
  BandwidthMeter meter = start_meter(machine, kernel);
  EXPECT_EQ(meter.read(kStart).node(NodeId{0})->reason, "nothing was read yet");
  const auto one = [](const PerfEvent&, const PerfTarget&) { return uint64_t{1}; };
  one_second(kernel, one);
  EXPECT_EQ(meter.read(kStart + 1s).node(NodeId{0})->bytes, 128u);
  one_second(kernel, one);
  const BandwidthReading& again = meter.read(kStart + 1s + 999us);
  EXPECT_EQ(again.at, kStart + 1s) << "its age is what lies between";
  EXPECT_EQ(again.node(NodeId{0})->bytes, 128u);
}

TEST(BandwidthMeter, SaysWhyEachBetterSourceIsNotUsed) {
  TwoSockets machine;
  machine.add_intel_channel(0, "0,4", 14);
  machine.write("/proc/cpuinfo", "flags\t\t: fpu");
  machine.write("/proc/sys/kernel/perf_event_paranoid", "2");
  FakePerfKernel kernel;
  kernel.refuse = [](const PerfEvent&, const PerfTarget&) { return EACCES; };
  const BandwidthMeter meter = start_meter(machine, kernel);
  EXPECT_EQ(meter.source(), BandwidthSource::kOwnBooks);
  EXPECT_EQ(
      meter.refusals(),
      (std::vector<std::string>{
          "imc: uncore_imc_0/cas_count_read/ on CPU 0: kernel.perf_event_paranoid is 2: set it to "
          "0 or less "
          "(sysctl), or give the process CAP_PERFMON",
          "imc_free_running: the kernel shows no unit uncore_imc_free_running: the CPU has none, "
          "or the driver is "
          "not loaded",
          "umc: the kernel shows no unit amd_umc: the CPU has none, or the driver is not loaded",
          "data_fabric: the kernel shows no unit amd_df: the CPU has none, or the driver is not "
          "loaded",
          "resctrl: resctrl is not mounted (mount -t resctrl resctrl /sys/fs/resctrl, as root), or "
          "the kernel has "
          "none"}));
}

TEST(BandwidthMeter, HasNoFigureForMemoryThatNoCpuIsNearTo) {
  TwoSockets machine;
  machine.add_node(2, 1, 0, 0);  // no CPUs
  machine.add_intel_channel(0, "0,4", 14);
  FakePerfKernel kernel;
  BandwidthMeter meter = start_meter(machine, kernel);
  one_second(kernel, [](const PerfEvent&, const PerfTarget&) { return uint64_t{1}; });
  EXPECT_EQ(meter.read(kStart + 1s).node(NodeId{2})->reason,
            "no counter is for its memory: no CPU is near to it");
}

TEST(BandwidthMeter, KnowsWhenANodeHasGoneOffline) {
  TwoSockets machine;
  machine.add_intel_channel(0, "0,4", 14);
  FakePerfKernel kernel;
  BandwidthMeter meter = start_meter(machine, kernel);
  machine.write("/sys/devices/system/node/online", "0");
  one_second(kernel, [](const PerfEvent&, const PerfTarget&) { return uint64_t{1}; });
  const BandwidthReading& reading = meter.read(kStart + 1s);
  EXPECT_EQ(reading.node(NodeId{1})->reason, "the node is offline");
  EXPECT_EQ(reading.node(NodeId{0})->bytes, 128u);
}

/// One socket of two nodes (sub-NUMA clusters): channel 0 is node 1's, channel 1 is node 0's.
struct TwoClusters : FakeEventSources {
  TwoClusters() {
    add_node(0, 0, 1, 0);
    add_node(1, 2, 3, 0);
    add_intel_channel(0, "0", 14);
    add_intel_channel(1, "0", 15);
  }
  static constexpr uint32_t type_of(NodeId node) { return node.value == 0 ? 15 : 14; }
};

TEST(BandwidthMeter, LearnsWhichChannelBelongsToWhichNodeOfASocket) {
  TwoClusters machine;
  FakePerfKernel kernel;
  BandwidthMeter meter = start_meter(machine, kernel);
  EXPECT_EQ(meter.ambiguous_nodes().size(), 2u);
  const auto traffic_of = [&](NodeId node, uint64_t lines) {
    one_second(kernel, [&](const PerfEvent& event, const PerfTarget&) {
      return event.type == TwoClusters::type_of(node) ? lines : lines / 20;
    });
  };
  traffic_of(NodeId{0}, 1000);
  EXPECT_EQ(meter.read(kStart + 1s).node(NodeId{0})->reason,
            "its channels are not told from those of other nodes of the socket");
  meter.learn([&](NodeId node) { traffic_of(node, 1'000'000); });
  EXPECT_TRUE(meter.ambiguous_nodes().empty());
  EXPECT_EQ(meter.read(kStart + 2s).node(NodeId{0})->reason, "nothing was read yet");
  traffic_of(NodeId{0}, 1000);
  const BandwidthReading& reading = meter.read(kStart + 3s);
  EXPECT_EQ(reading.node(NodeId{0})->bytes, 2u * 1000 * 64);
  EXPECT_EQ(reading.node(NodeId{1})->bytes, 2u * 50 * 64);
}

TEST(BandwidthMeter, DoesNotGuessAChannelThatEveryNodesTrafficMoves) {
  TwoClusters machine;
  FakePerfKernel kernel;
  BandwidthMeter meter = start_meter(machine, kernel);
  meter.learn([&](NodeId) {
    one_second(kernel, [](const PerfEvent&, const PerfTarget&) { return uint64_t{1000}; });
  });
  EXPECT_EQ(meter.ambiguous_nodes().size(), 2u);
}

TEST(BandwidthMeter, CountsItsOwnBooksWhereThereIsNothingElse) {
  TwoSockets machine;
  FakePerfKernel kernel;
  BandwidthMeter meter = start_meter(machine, kernel, BandwidthSource::kOwnBooks);
  EXPECT_TRUE(meter.refusals().empty()) << "what may not be used is not tried";
  count_own_traffic(NodeId{1}, Bytes{4000});
  count_own_traffic(NodeId{kMaxNodes}, Bytes{4000});  // no such node
  const BandwidthReading& reading = meter.read(kStart + 2s);
  EXPECT_EQ(reading.node(NodeId{0})->bytes, 0u);
  EXPECT_EQ(reading.node(NodeId{1})->bytes_per_second, 2000u);
  EXPECT_EQ(
      reading.note,
      "Only what numaheap itself moves: the traffic of the program and of others is not in it.");
}

TEST(BandwidthMeter, ExportsWhatItReads) {
  TwoSockets machine;
  machine.add_node(2, 1, 0, 0);
  machine.add_intel_channel(0, "0,4", 14);
  FakePerfKernel kernel;
  std::array<stats::Sample, 256> memory;
  {
    BandwidthMeter meter = start_meter(machine, kernel);
    BandwidthMeter other = start_meter(machine, kernel);
    ASSERT_TRUE(meter.export_metrics());
    EXPECT_TRUE(meter.export_metrics());
    EXPECT_FALSE(other.export_metrics());
    meter.set_peak(NodeId{1}, 5000);
    meter.set_peak(NodeId{9}, 5000);  // no such node
    for (int second = 1; second <= 2; ++second) {
      one_second(kernel, [](const PerfEvent&, const PerfTarget&) { return uint64_t{10}; });
      meter.read(kStart + second * 1s);
    }
    const stats::Snapshot snapshot = stats::take_snapshot(memory);
    const auto* rate = snapshot.find("numaheap_bandwidth_bytes_per_second", {NodeId{1}, "imc"});
    ASSERT_NE(rate, nullptr);
    EXPECT_EQ(rate->value, 1280);
    EXPECT_EQ(rate->metric->source, stats::Source::kHardware);
    EXPECT_EQ(snapshot.find("numaheap_bandwidth_peak_bytes_per_second", {NodeId{1}})->value, 5000);
    EXPECT_EQ(snapshot.find("numaheap_bandwidth_peak_bytes_per_second", {NodeId{0}}), nullptr);
    EXPECT_EQ(snapshot.find("numaheap_memory_traffic_bytes", {NodeId{1}, "imc"})->value, 2560);
    EXPECT_EQ(snapshot.find("numaheap_bandwidth_bytes_per_second", {NodeId{2}, "imc"}), nullptr)
        << "what cannot be measured is left out";
  }
  const stats::Snapshot after = stats::take_snapshot(memory);
  EXPECT_EQ(after.find("numaheap_bandwidth_bytes_per_second", {NodeId{1}, "imc"}), nullptr);
  BandwidthMeter next = start_meter(machine, kernel);
  EXPECT_TRUE(next.export_metrics());
}

TEST(BandwidthMeterLive, StartsOnThisMachine) {
  const auto now = BandwidthMeter::TimePoint::clock::now();
  BandwidthMeter meter = BandwidthMeter::start(now);
  EXPECT_EQ(meter.refusals().size(), static_cast<size_t>(meter.source()));
  const BandwidthReading& reading = meter.read(now + 1s);
  EXPECT_FALSE(reading.nodes.empty());
  for (const NodeTraffic& node : reading.nodes)
    EXPECT_NE(node.bytes.has_value(), !node.reason.empty());
}

}  // namespace
}  // namespace numaheap::numa

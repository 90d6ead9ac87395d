#include "numaheap/numa/bandwidth_meter.hpp"

#include <gtest/gtest.h>

#include <array>

#include "numaheap/numa/own_traffic.hpp"
#include "numaheap/stats/registry.hpp"
#include "stats/fake_event_sources.hpp"
#include "stats/fake_perf_kernel.hpp"

namespace numaheap::numa {
namespace {

using namespace std::chrono_literals;
using stats::PerfEvent;
using stats::PerfTarget;
using tests::FakeEventSources;
using tests::FakePerfKernel;

const BandwidthMeter::TimePoint kStart{std::chrono::hours(1)};
constexpr uint64_t kSecond = 1'000'000'000;

/// Two sockets of one node each, CPUs 0-3 and 4-7.
struct TwoSockets : FakeEventSources {
  TwoSockets() {
    add_node(0, 0, 3, 0);
    add_node(1, 4, 7, 1);
  }
};

BandwidthMeter start(const FakeEventSources& machine, FakePerfKernel& kernel,
                     BandwidthSource best = BandwidthSource::kImc) {
  return BandwidthMeter::start(kStart, {machine.root(), &kernel, best});
}

/// Lets a second pass, in which each event counts what count(event, target) says.
template <class Count>
void one_second(FakePerfKernel& kernel, Count count) {
  for (auto& [descriptor, opened] : kernel.opened())
    FakePerfKernel::advance(opened, count(opened.event, opened.target), kSecond, kSecond);
}

TEST(BandwidthMeter, AddsUpTheChannelsOfEachSocketsMemoryController) {
  TwoSockets machine;
  machine.add_intel_channel(0, "0,4", 14);
  machine.add_intel_channel(1, "0,4", 15);
  FakePerfKernel kernel;
  BandwidthMeter meter = start(machine, kernel);
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
  BandwidthMeter meter = start(machine, kernel);
  EXPECT_EQ(meter.read(kStart).node(NodeId{0})->reason, "nothing was read yet");
  const auto one = [](const PerfEvent&, const PerfTarget&) { return uint64_t{1}; };
  one_second(kernel, one);
  EXPECT_EQ(meter.read(kStart + 1s).node(NodeId{0})->bytes, 128u);
  one_second(kernel, one);
  const BandwidthReading& again = meter.read(kStart + 1s + 999us);
  EXPECT_EQ(again.at, kStart + 1s) << "its age is what lies between";
  EXPECT_EQ(again.node(NodeId{0})->bytes, 128u);
}

TEST(BandwidthMeter, ScalesWhatTookTurnsAndSaysSo) {
  TwoSockets machine;
  machine.add_amd_fabric_zen2("0,4", 11);
  FakePerfKernel kernel;
  BandwidthMeter meter = start(machine, kernel);
  ASSERT_EQ(meter.source(), BandwidthSource::kDataFabric);
  ASSERT_EQ(kernel.opened().size(), 16u) << "8 channels, 2 sockets";
  for (auto& [descriptor, opened] : kernel.opened())
    FakePerfKernel::advance(opened, 1000, kSecond, kSecond / 2);
  const NodeTraffic* node = meter.read(kStart + 1s).node(NodeId{0});
  EXPECT_EQ(node->bytes, 8u * 2000 * 64);
  EXPECT_DOUBLE_EQ(node->counted, 0.5);
}

TEST(BandwidthMeter, CountsAcrossTheWrapOfACounter) {
  TwoSockets machine;
  machine.add_amd_controller(0, "0", 20);
  machine.add_amd_controller(1, "4", 21);
  FakePerfKernel kernel;
  BandwidthMeter meter = start(machine, kernel);
  ASSERT_EQ(meter.source(), BandwidthSource::kUmc);
  one_second(kernel, [](const PerfEvent&, const PerfTarget&) { return ~uint64_t{0} - 5; });
  meter.read(kStart + 1s);
  one_second(kernel, [](const PerfEvent&, const PerfTarget&) { return uint64_t{100}; });
  EXPECT_EQ(meter.read(kStart + 2s).node(NodeId{0})->bytes, 2u * 100 * 64);
}

TEST(BandwidthMeter, KnowsTheEventsOfGenerationsThatTheKernelDoesNotName) {
  struct Known {
    const char* model;
    std::vector<uint64_t> configs;
  };
  for (const Known& known :
       {Known{"85", {0x304, 0xc04}}, Known{"106", {0xf04, 0x3004}}, Known{"143", {0xcf05, 0xf005}},
        Known{"173", {0xcf05, 0xf005, 0xcf06, 0xf006}}}) {
    TwoSockets machine;
    machine.add("uncore_imc_3", "14", "0,4",
                {{"format/event", "config:0-7"}, {"format/umask", "config:8-15"}});
    machine.write("/proc/cpuinfo",
                  "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: " +
                      std::string(known.model) + "\nmodel name\t: Xeon\n");
    FakePerfKernel kernel;
    const BandwidthMeter meter = start(machine, kernel);
    EXPECT_EQ(meter.source(), BandwidthSource::kImc) << known.model;
    std::vector<uint64_t> configs;
    for (const auto& [descriptor, opened] : kernel.opened()) {
      if (opened.target.cpu == 0) configs.push_back(opened.event.config);
    }
    EXPECT_EQ(configs, known.configs) << known.model;
  }
}

TEST(BandwidthMeter, CountsBothHalvesOfAChannel) {
  TwoSockets machine;
  FakeEventSources::Files files = {{"format/event", "config:0-7"}, {"format/umask", "config:8-15"}};
  for (const std::string name : {"cas_count_read_sch0", "cas_count_read_sch1",
                                 "cas_count_write_sch0", "cas_count_write_sch1"}) {
    files["events/" + name] =
        name.ends_with('0') ? "event=0x05,umask=0xcf" : "event=0x06,umask=0xcf";
    files["events/" + name + ".scale"] = "6.103515625e-5";
    files["events/" + name + ".unit"] = "MiB";
  }
  machine.add("uncore_imc_0", "14", "0,4", files);
  FakePerfKernel kernel;
  const BandwidthMeter meter = start(machine, kernel);
  EXPECT_EQ(meter.source(), BandwidthSource::kImc);
  EXPECT_EQ(kernel.opened().size(), 8u);
}

TEST(BandwidthMeter, TakesFreeRunningCountersWhereTheOthersAreRefused) {
  TwoSockets machine;
  machine.add_intel_channel(0, "0,4", 14);
  machine.add_intel_free_running(0, "0,4", 40);
  FakePerfKernel kernel;
  kernel.refuse = [](const PerfEvent& event, const PerfTarget&) {
    return event.type == 14 ? EBUSY : 0;
  };
  const BandwidthMeter meter = start(machine, kernel);
  EXPECT_EQ(meter.source(), BandwidthSource::kImcFreeRunning);
  EXPECT_EQ(kernel.opened().size(), 4u) << "what was opened of the refused source is closed";
  ASSERT_EQ(meter.refusals().size(), 1u);
  EXPECT_EQ(meter.refusals()[0],
            "imc: uncore_imc_0/cas_count_read/ on CPU 0: somebody holds the counter for itself, as "
            "the NMI watchdog "
            "does (sysctl kernel.nmi_watchdog=0)");
}

TEST(BandwidthMeter, SaysWhyEachBetterSourceIsNotUsed) {
  TwoSockets machine;
  machine.add_intel_channel(0, "0,4", 14);
  machine.write("/proc/cpuinfo", "flags\t\t: fpu");
  machine.write("/proc/sys/kernel/perf_event_paranoid", "2");
  FakePerfKernel kernel;
  kernel.refuse = [](const PerfEvent&, const PerfTarget&) { return EACCES; };
  const BandwidthMeter meter = start(machine, kernel);
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

TEST(BandwidthMeter, RefusesAUnitWhoseFilesLie) {
  const std::string unit = FakeEventSources::path_of("uncore_imc_0");
  struct Lie {
    std::string file;
    const char* text;
    std::string problem;
  };
  for (const Lie& lie :
       {Lie{unit + "/type", "14.5", unit + "/type = \"14.5\": accepted is the number of the unit"},
        Lie{unit + "/cpumask", "",
            "uncore_imc_0: the kernel does not say on which CPUs it is counted (cpumask)"},
        Lie{unit + "/cpumask", "64",
            "uncore_imc_0: the nodes of the socket of CPU 64 are not known"},
        Lie{unit + "/events/cas_count_read.unit", "Joules",
            "uncore_imc_0/cas_count_read/: its unit \"Joules\" is none of bytes"}}) {
    TwoSockets machine;
    machine.add_intel_channel(0, "0,4", 14);
    machine.write(lie.file, lie.text);
    FakePerfKernel kernel;
    const BandwidthMeter meter = start(machine, kernel);
    EXPECT_EQ(meter.source(), BandwidthSource::kOwnBooks) << lie.file;
    const std::string root = lie.problem[0] == '/' ? machine.root() : "";
    EXPECT_EQ(meter.refusals()[0], "imc: " + root + lie.problem);
  }
}

TEST(BandwidthMeter, HasNoFigureForANodeIfOneOfItsChannelsIsLost) {
  TwoSockets machine;
  machine.add_intel_channel(0, "0,4", 14);
  FakePerfKernel kernel;
  BandwidthMeter meter = start(machine, kernel);
  for (auto& [descriptor, opened] : kernel.opened())
    FakePerfKernel::advance(opened, 5, kSecond,
                            opened.target.cpu == 4 && opened.event.config == 0x304 ? 0 : kSecond);
  const BandwidthReading reading = meter.read(kStart + 1s);
  EXPECT_EQ(reading.node(NodeId{0})->bytes, 640u);
  EXPECT_EQ(reading.node(NodeId{1})->bytes, std::nullopt);
  EXPECT_EQ(reading.node(NodeId{1})->reason,
            "a memory controller's event got no counter: others hold them");
  const auto seven = [](const PerfEvent&, const PerfTarget&) { return uint64_t{7}; };
  one_second(kernel, seven);
  EXPECT_EQ(meter.read(kStart + 2s).node(NodeId{1})->bytes, 2u * 7 * 64)
      << "without what came before";
  kernel.read_error = EIO;
  EXPECT_EQ(meter.read(kStart + 3s).node(NodeId{0})->reason,
            "a memory controller's counter cannot be read any more: its CPUs went offline, or its "
            "driver");
  kernel.read_error = 0;
  one_second(kernel, seven);
  EXPECT_EQ(meter.read(kStart + 4s).node(NodeId{0})->reason,
            "a memory controller's counter could not be read before");
  one_second(kernel, seven);
  EXPECT_EQ(meter.read(kStart + 5s).node(NodeId{0})->bytes, 2u * 7 * 64);
}

TEST(BandwidthMeter, HasNoFigureForMemoryThatNoCpuIsNearTo) {
  TwoSockets machine;
  machine.add_node(2, 1, 0, 0);  // no CPUs
  machine.add_intel_channel(0, "0,4", 14);
  FakePerfKernel kernel;
  BandwidthMeter meter = start(machine, kernel);
  one_second(kernel, [](const PerfEvent&, const PerfTarget&) { return uint64_t{1}; });
  EXPECT_EQ(meter.read(kStart + 1s).node(NodeId{2})->reason,
            "no counter is for its memory: no CPU is near to it");
}

TEST(BandwidthMeter, KnowsWhenANodeHasGoneOffline) {
  TwoSockets machine;
  machine.add_intel_channel(0, "0,4", 14);
  FakePerfKernel kernel;
  BandwidthMeter meter = start(machine, kernel);
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
  BandwidthMeter meter = start(machine, kernel);
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
  BandwidthMeter meter = start(machine, kernel);
  meter.learn([&](NodeId) {
    one_second(kernel, [](const PerfEvent&, const PerfTarget&) { return uint64_t{1000}; });
  });
  EXPECT_EQ(meter.ambiguous_nodes().size(), 2u);
}

struct ResctrlMachine : TwoSockets {
  ResctrlMachine() {
    add_last_cache(0, 0, 3);
    add_last_cache(1, 4, 7);
    set(0, 1000, 600);
    set(1, 5000, 5000);
  }
  void set(unsigned cache, uint64_t total, uint64_t local, const std::string& group = "") {
    say(cache, "mbm_total_bytes", std::to_string(total), group);
    say(cache, "mbm_local_bytes", std::to_string(local), group);
  }
  static std::string domain(unsigned cache, const std::string& group = "") {
    return "/sys/fs/resctrl" + group + "/mon_data/mon_L3_0" + std::to_string(cache);
  }
  void say(unsigned cache, const std::string& file, const std::string& text,
           const std::string& group = "") {
    write(domain(cache, group) + '/' + file, text);
  }
};

TEST(BandwidthMeter, DividesWhatResctrlCountsIntoNodes) {
  ResctrlMachine machine;
  machine.set(0, 10, 10, "/batch");
  FakePerfKernel kernel;
  BandwidthMeter meter = start(machine, kernel);
  ASSERT_EQ(meter.source(), BandwidthSource::kResctrl);
  machine.set(0, 1000 + 900, 600 + 700);  // 200 from node 1
  machine.set(1, 5000 + 50, 5000 + 20);   // 30 from node 0
  machine.set(0, 10 + 8, 10 + 8, "/batch");
  const BandwidthReading& reading = meter.read(kStart + 1s);
  EXPECT_EQ(reading.node(NodeId{0})->bytes, 700u + 30 + 8);
  EXPECT_EQ(reading.node(NodeId{1})->bytes, 20u + 200);
  EXPECT_EQ(reading.note, "Misses of the last caches: traffic of devices is not in it.");
}

TEST(BandwidthMeter, HasNoFigureWhileResctrlHasNone) {
  ResctrlMachine machine;
  FakePerfKernel kernel;
  BandwidthMeter meter = start(machine, kernel);
  for (const char* text : {"Unavailable", "Error", "Unassigned", ""}) {
    machine.say(1, "mbm_local_bytes", text);
    const BandwidthReading& reading = meter.read(meter.read(kStart).at + 1s);
    EXPECT_EQ(reading.node(NodeId{1})->bytes, std::nullopt);
    EXPECT_EQ(reading.node(NodeId{1})->reason,
              machine.root() + ResctrlMachine::domain(1) + "/mbm_local_bytes says \"" + text + '"');
  }
  machine.set(1, 5300, 5300);
  EXPECT_EQ(
      meter.read(kStart + 10s).node(NodeId{1})->reason,
      machine.root() + ResctrlMachine::domain(1) + "/mbm_local_bytes could not be read before")
      << "these bytes are of more than the last second";
  machine.set(1, 5400, 5400);
  EXPECT_EQ(meter.read(kStart + 11s).node(NodeId{1})->bytes, 100u);
  machine.set(1, 7, 7);
  EXPECT_NE(meter.read(kStart + 12s).node(NodeId{1})->reason.find("went back"), std::string::npos);
  machine.set(1, 17, 17);
  EXPECT_EQ(meter.read(kStart + 13s).node(NodeId{1})->bytes, 10u);
}

TEST(BandwidthMeter, LosesTheCachesThatVanishFromResctrl) {
  ResctrlMachine machine;
  FakePerfKernel kernel;
  BandwidthMeter meter = start(machine, kernel);
  machine.remove(ResctrlMachine::domain(1));
  machine.set(0, 1100, 700);
  const BandwidthReading& reading = meter.read(kStart + 1s);
  EXPECT_EQ(reading.node(NodeId{0})->bytes, 100u);
  EXPECT_EQ(reading.node(NodeId{1})->reason,
            machine.root() + ResctrlMachine::domain(1) + " vanished");
}

TEST(BandwidthMeter, ReadsResctrlsPartsForSubNumaClusters) {
  FakeEventSources machine;
  machine.add_node(0, 0, 1, 0);
  machine.add_node(1, 2, 3, 0);
  machine.add_last_cache(0, 0, 3);
  const auto set = [&](unsigned node, const std::string& bytes) {
    for (const char* file : {"/mbm_total_bytes", "/mbm_local_bytes"})
      machine.write("/sys/fs/resctrl/mon_data/mon_L3_00/mon_sub_L3_0" + std::to_string(node) + file,
                    bytes);
  };
  for (const char* file : {"/mbm_total_bytes", "/mbm_local_bytes"})
    machine.write(std::string("/sys/fs/resctrl/mon_data/mon_L3_00") + file, "0");
  set(0, "0");
  set(1, "0");
  FakePerfKernel kernel;
  BandwidthMeter meter = start(machine, kernel);
  ASSERT_EQ(meter.source(), BandwidthSource::kResctrl);
  set(0, "300");
  set(1, "40");
  const BandwidthReading& reading = meter.read(kStart + 1s);
  EXPECT_EQ(reading.node(NodeId{0})->bytes, 300u);
  EXPECT_EQ(reading.node(NodeId{1})->bytes, 40u);
}

TEST(BandwidthMeter, DoesNotUseAResctrlThatCannotTellNodes) {
  FakePerfKernel kernel;
  ResctrlMachine without_local;
  without_local.remove(ResctrlMachine::domain(0) + "/mbm_local_bytes");
  without_local.remove(ResctrlMachine::domain(1) + "/mbm_local_bytes");
  EXPECT_EQ(start(without_local, kernel).source(), BandwidthSource::kOwnBooks);
  ResctrlMachine without_caches;
  without_caches.remove("/sys/devices/system/cpu/cpu4/cache");
  for (unsigned cpu = 5; cpu < 8; ++cpu)
    without_caches.remove("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cache");
  const BandwidthMeter meter = start(without_caches, kernel);
  EXPECT_EQ(meter.source(), BandwidthSource::kOwnBooks);
  EXPECT_EQ(meter.refusals().back(),
            "resctrl: the nodes of its last caches are not known (cache/index3/id of the CPUs)");
}

TEST(BandwidthMeter, CountsItsOwnBooksWhereThereIsNothingElse) {
  TwoSockets machine;
  FakePerfKernel kernel;
  BandwidthMeter meter = start(machine, kernel, BandwidthSource::kOwnBooks);
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
    BandwidthMeter meter = start(machine, kernel);
    BandwidthMeter other = start(machine, kernel);
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
  BandwidthMeter next = start(machine, kernel);
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

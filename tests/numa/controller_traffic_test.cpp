// A bandwidth meter that counts with memory controllers.
#include <gtest/gtest.h>

#include "metered_machine.hpp"

namespace numaheap::numa {
namespace {

using namespace std::chrono_literals;
using stats::PerfEvent;
using stats::PerfTarget;
using tests::FakeEventSources;
using tests::FakePerfKernel;
using tests::kSecond;
using tests::kStart;
using tests::one_second;
using tests::start_meter;
using tests::TwoSockets;

TEST(ControllerTraffic, ScalesWhatTookTurnsAndSaysSo) {
  TwoSockets machine;
  machine.add_amd_fabric_zen2("0,4", 11);
  FakePerfKernel kernel;
  BandwidthMeter meter = start_meter(machine, kernel);
  ASSERT_EQ(meter.source(), BandwidthSource::kDataFabric);
  ASSERT_EQ(kernel.opened().size(), 16u) << "8 channels, 2 sockets";
  for (auto& [descriptor, opened] : kernel.opened())
    FakePerfKernel::advance(opened, 1000, kSecond, kSecond / 2);
  const NodeTraffic* node = meter.read(kStart + 1s).node(NodeId{0});
  EXPECT_EQ(node->bytes, 8u * 2000 * 64);
  EXPECT_DOUBLE_EQ(node->counted, 0.5);
}

TEST(ControllerTraffic, CountsAcrossTheWrapOfACounter) {
  TwoSockets machine;
  machine.add_amd_controller(0, "0", 20);
  machine.add_amd_controller(1, "4", 21);
  FakePerfKernel kernel;
  BandwidthMeter meter = start_meter(machine, kernel);
  ASSERT_EQ(meter.source(), BandwidthSource::kUmc);
  one_second(kernel, [](const PerfEvent&, const PerfTarget&) { return ~uint64_t{0} - 5; });
  meter.read(kStart + 1s);
  one_second(kernel, [](const PerfEvent&, const PerfTarget&) { return uint64_t{100}; });
  EXPECT_EQ(meter.read(kStart + 2s).node(NodeId{0})->bytes, 2u * 100 * 64);
}

TEST(ControllerTraffic, KnowsTheEventsOfGenerationsThatTheKernelDoesNotName) {
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
    const BandwidthMeter meter = start_meter(machine, kernel);
    EXPECT_EQ(meter.source(), BandwidthSource::kImc) << known.model;
    std::vector<uint64_t> configs;
    for (const auto& [descriptor, opened] : kernel.opened()) {
      if (opened.target.cpu == 0) configs.push_back(opened.event.config);
    }
    EXPECT_EQ(configs, known.configs) << known.model;
  }
}

TEST(ControllerTraffic, CountsBothHalvesOfAChannel) {
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
  const BandwidthMeter meter = start_meter(machine, kernel);
  EXPECT_EQ(meter.source(), BandwidthSource::kImc);
  EXPECT_EQ(kernel.opened().size(), 8u);
}

TEST(ControllerTraffic, TakesFreeRunningCountersWhereTheOthersAreRefused) {
  TwoSockets machine;
  machine.add_intel_channel(0, "0,4", 14);
  machine.add_intel_free_running(0, "0,4", 40);
  FakePerfKernel kernel;
  kernel.refuse = [](const PerfEvent& event, const PerfTarget&) {
    return event.type == 14 ? EBUSY : 0;
  };
  const BandwidthMeter meter = start_meter(machine, kernel);
  EXPECT_EQ(meter.source(), BandwidthSource::kImcFreeRunning);
  EXPECT_EQ(kernel.opened().size(), 4u) << "what was opened of the refused source is closed";
  ASSERT_EQ(meter.refusals().size(), 1u);
  EXPECT_EQ(meter.refusals()[0],
            "imc: uncore_imc_0/cas_count_read/ on CPU 0: somebody holds the counter for itself, as "
            "the NMI watchdog "
            "does (sysctl kernel.nmi_watchdog=0)");
}

TEST(ControllerTraffic, RefusesAUnitWhoseFilesLie) {
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
    const BandwidthMeter meter = start_meter(machine, kernel);
    EXPECT_EQ(meter.source(), BandwidthSource::kOwnBooks) << lie.file;
    const std::string root = lie.problem[0] == '/' ? machine.root() : "";
    EXPECT_EQ(meter.refusals()[0], "imc: " + root + lie.problem);
  }
}

TEST(ControllerTraffic, HasNoFigureForANodeIfOneOfItsChannelsIsLost) {
  TwoSockets machine;
  machine.add_intel_channel(0, "0,4", 14);
  FakePerfKernel kernel;
  BandwidthMeter meter = start_meter(machine, kernel);
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

}  // namespace
}  // namespace numaheap::numa

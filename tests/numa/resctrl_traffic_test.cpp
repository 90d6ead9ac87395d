// A bandwidth meter that counts with resctrl.
#include <gtest/gtest.h>

#include "metered_machine.hpp"

namespace numaheap::numa {
namespace {

using namespace std::chrono_literals;
using tests::FakeEventSources;
using tests::FakePerfKernel;
using tests::kStart;
using tests::start_meter;
using tests::TwoSockets;

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

TEST(ResctrlTraffic, DividesWhatResctrlCountsIntoNodes) {
  ResctrlMachine machine;
  machine.set(0, 10, 10, "/batch");
  FakePerfKernel kernel;
  BandwidthMeter meter = start_meter(machine, kernel);
  ASSERT_EQ(meter.source(), BandwidthSource::kResctrl);
  machine.set(0, 1000 + 900, 600 + 700);  // 200 from node 1
  machine.set(1, 5000 + 50, 5000 + 20);   // 30 from node 0
  machine.set(0, 10 + 8, 10 + 8, "/batch");
  const BandwidthReading& reading = meter.read(kStart + 1s);
  EXPECT_EQ(reading.node(NodeId{0})->bytes, 700u + 30 + 8);
  EXPECT_EQ(reading.node(NodeId{1})->bytes, 20u + 200);
  EXPECT_EQ(reading.note, "Misses of the last caches: traffic of devices is not in it.");
}

TEST(ResctrlTraffic, HasNoFigureWhileResctrlHasNone) {
  ResctrlMachine machine;
  FakePerfKernel kernel;
  BandwidthMeter meter = start_meter(machine, kernel);
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

TEST(ResctrlTraffic, LosesTheCachesThatVanishFromResctrl) {
  ResctrlMachine machine;
  FakePerfKernel kernel;
  BandwidthMeter meter = start_meter(machine, kernel);
  machine.remove(ResctrlMachine::domain(1));
  machine.set(0, 1100, 700);
  const BandwidthReading& reading = meter.read(kStart + 1s);
  EXPECT_EQ(reading.node(NodeId{0})->bytes, 100u);
  EXPECT_EQ(reading.node(NodeId{1})->reason,
            machine.root() + ResctrlMachine::domain(1) + " vanished");
}

TEST(ResctrlTraffic, ReadsResctrlsPartsForSubNumaClusters) {
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
  BandwidthMeter meter = start_meter(machine, kernel);
  ASSERT_EQ(meter.source(), BandwidthSource::kResctrl);
  set(0, "300");
  set(1, "40");
  const BandwidthReading& reading = meter.read(kStart + 1s);
  EXPECT_EQ(reading.node(NodeId{0})->bytes, 300u);
  EXPECT_EQ(reading.node(NodeId{1})->bytes, 40u);
}

TEST(ResctrlTraffic, DoesNotUseAResctrlThatCannotTellNodes) {
  FakePerfKernel kernel;
  ResctrlMachine without_local;
  without_local.remove(ResctrlMachine::domain(0) + "/mbm_local_bytes");
  without_local.remove(ResctrlMachine::domain(1) + "/mbm_local_bytes");
  EXPECT_EQ(start_meter(without_local, kernel).source(), BandwidthSource::kOwnBooks);
  ResctrlMachine without_caches;
  without_caches.remove("/sys/devices/system/cpu/cpu4/cache");
  for (unsigned cpu = 5; cpu < 8; ++cpu)
    without_caches.remove("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cache");
  const BandwidthMeter meter = start_meter(without_caches, kernel);
  EXPECT_EQ(meter.source(), BandwidthSource::kOwnBooks);
  EXPECT_EQ(meter.refusals().back(),
            "resctrl: the nodes of its last caches are not known (cache/index3/id of the CPUs)");
}

}  // namespace
}  // namespace numaheap::numa

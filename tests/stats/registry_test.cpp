#include "numaheap/stats/registry.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <vector>

// The registry is the process' own and only grows: each test registers metrics of its own names and
// looks for those.

namespace numaheap::stats {
namespace {

size_t registered_times(const char* name) {
  size_t times = 0;
  for (const Metric* m = first_metric(); m != nullptr; m = next_metric(*m))
    times += std::strcmp(m->name, name) == 0;
  return times;
}

int64_t live_on_node_4 = 100;
constinit Metric live{.name = "test_live_bytes",
                      .help = "Bytes in use.",
                      .unit = Unit::kBytes,
                      .label_keys = {"node"},
                      .read = [](void*, Emitter& out) noexcept {
                        out.emit(7, {NodeId{0}});
                        out.emit(live_on_node_4, {NodeId{4}}, std::chrono::milliseconds(250));
                        out.emit(1, {"interleaved"});
                      }};

TEST(Registry, ASnapshotHasValueLabelsAndAgeOfEachSample) {
  register_metric(live);
  live_on_node_4 = 100;
  std::array<Sample, 256> memory;
  const Snapshot snapshot = take_snapshot(memory);
  const Sample* sample = snapshot.find("test_live_bytes", {NodeId{4}});
  ASSERT_NE(sample, nullptr);
  EXPECT_EQ(sample->value, 100);
  EXPECT_EQ(sample->age, std::chrono::milliseconds(250));
  EXPECT_EQ(sample->metric, &live);
  EXPECT_EQ(snapshot.left_out, 0u);
  EXPECT_GT(snapshot.scan.count(), 0);

  live_on_node_4 = 90;
  EXPECT_EQ(take_snapshot(memory).find("test_live_bytes", {NodeId{4}})->value, 90);
}

TEST(Registry, FindsTextLabelsByTheirText) {
  register_metric(live);
  std::array<Sample, 256> memory;
  const Snapshot snapshot = take_snapshot(memory);
  const std::string text = std::string("inter") + "leaved";  // another address than the metric's
  ASSERT_NE(snapshot.find("test_live_bytes", {Label(text.c_str())}), nullptr);
  EXPECT_EQ(snapshot.find("test_live_bytes", {NodeId{1}}), nullptr);
  EXPECT_EQ(snapshot.find("test_live_bytes"), nullptr)
      << "a sample with a label is not one without";
  EXPECT_EQ(snapshot.find("test_no_such"), nullptr);
}

TEST(Registry, SumsOverAllLabels) {
  register_metric(live);
  live_on_node_4 = 100;
  std::array<Sample, 256> memory;
  const Snapshot snapshot = take_snapshot(memory);
  int64_t sum = -1;
  ASSERT_TRUE(snapshot.sum("test_live_bytes", sum));
  EXPECT_EQ(sum, 108);
  EXPECT_FALSE(snapshot.sum("test_no_such", sum));
  EXPECT_EQ(sum, 108) << "untouched where there is nothing";
}

TEST(Registry, RegisteringTwiceIsRegisteringOnce) {
  for (int i = 0; i < 3; ++i) register_metric(live);
  EXPECT_EQ(registered_times("test_live_bytes"), 1u);
}

TEST(Registry, CountsWhatDoesNotFit) {
  register_metric(live);
  std::array<Sample, 256> memory;
  const size_t all = take_snapshot(memory).samples.size();
  for (size_t room = 0; room <= all; ++room) {
    const Snapshot snapshot = take_snapshot(std::span(memory).first(room));
    EXPECT_EQ(snapshot.samples.size(), room);
    EXPECT_EQ(snapshot.left_out, all - room);
  }
}

constinit Metric member_a{
    .name = "test_group_member_a", .help = "Emitted by the leader.", .label_keys = {"class"}};
constinit Metric member_b{
    .name = "test_group_member_b", .help = "Emitted by the leader.", .detail = Detail::kPerClass};
constinit Metric leader{.name = "test_group_leader",
                        .help = "Emits for the group.",
                        .read = [](void*, Emitter& out) noexcept {
                          out.emit(1);
                          out.emit(member_a, 2, {uint64_t{64}});
                          out.emit(member_b, out.wants(member_b) ? 3 : -1);
                        }};

TEST(Registry, OneReadFunctionEmitsForItsGroup) {
  for (Metric* m : {&leader, &member_a, &member_b}) register_metric(*m);
  std::array<Sample, 256> memory;
  const Snapshot snapshot = take_snapshot(memory);
  EXPECT_EQ(snapshot.find("test_group_leader")->value, 1);
  EXPECT_EQ(snapshot.find("test_group_member_a", {uint64_t{64}})->value, 2);
  EXPECT_EQ(snapshot.find("test_group_member_b")->value, 3);
}

TEST(Registry, ASummaryLeavesDetailOutAndDoesNotCountItAsLost) {
  for (Metric* m : {&leader, &member_a, &member_b}) register_metric(*m);
  std::array<Sample, 256> memory;
  const Snapshot snapshot = take_snapshot(memory, Detail::kSummary);
  EXPECT_NE(snapshot.find("test_group_leader"), nullptr);
  EXPECT_EQ(snapshot.find("test_group_member_b"), nullptr);
  EXPECT_EQ(snapshot.left_out, 0u);
}

bool g_has_figure = false;
constinit Metric moody{.name = "test_moody",
                       .help = "Has a sample at times.",
                       .read =
                           [](void*, Emitter& out) noexcept {
                             if (g_has_figure) out.emit(1);
                           },
                       .why = [](void*) noexcept { return "it is in no mood"; }};
constinit Metric silent{.name = "test_silent", .help = "Never has a sample, and never says why."};
constinit Metric detailed{
    .name = "test_detailed", .help = "Is not asked for.", .detail = Detail::kPerThread};

TEST(Registry, ASnapshotTellsWhoHadNoSampleAndWhy) {
  for (Metric* m : {&moody, &silent, &detailed, &live}) register_metric(*m);
  std::array<Sample, 1024> memory;
  std::array<Absence, 1024> absences;
  ASSERT_LE(registered_metrics(), absences.size());
  const auto why = [&](const char* name) -> std::string {
    Snapshot snapshot = take_snapshot(memory, Detail::kPerClass);
    find_absent(snapshot, Detail::kPerClass, absences);
    for (const Absence& absence : snapshot.absent)
      if (std::strcmp(absence.metric->name, name) == 0) return absence.why;
    return "it is there";
  };
  g_has_figure = false;
  EXPECT_EQ(why("test_moody"), "it is in no mood");
  EXPECT_EQ(why("test_silent"), "its owner has none now");
  EXPECT_EQ(why("test_detailed"), "it is there") << "what was not asked for is not missing";
  EXPECT_EQ(why("test_live_bytes"), "it is there");
  g_has_figure = true;
  EXPECT_EQ(why("test_moody"), "it is there");
}

TEST(Registry, TellsNoAbsencesThatItDoesNotKnowOrHasNoRoomFor) {
  for (Metric* m : {&silent, &live}) register_metric(*m);
  std::array<Sample, 1024> memory;
  std::array<Absence, 1024> absences;
  Snapshot cut = take_snapshot(std::span(memory).first(1));
  EXPECT_GT(cut.left_out, 0u);
  find_absent(cut, Detail::kPerThread, absences);
  EXPECT_TRUE(cut.absent.empty()) << "a sample that was left out is not an absence";
  Snapshot whole = take_snapshot(memory);
  EXPECT_TRUE(whole.absent.empty()) << "nobody asked";
  find_absent(whole, Detail::kPerThread, std::span(absences).first(1));
  EXPECT_EQ(whole.absent.size(), 1u);
}

struct Registered {
  Metric metric;
  std::string name;
};

TEST(Registry, LosesNoMetricThatThreadsRegisterAtOnceWhileOthersRead) {
  constexpr size_t kThreads = 4;
  constexpr size_t kEach = 200;
  // Never destroyed, as a registered metric demands.
  static std::array<std::array<Registered, kEach>, kThreads> all;
  static Metric contended{.name = "test_contended", .help = "Registered by every thread."};
  std::atomic<bool> done{false};
  std::atomic<size_t> shrank{0};
  std::thread reader([&] {
    static std::array<Sample, 2048> memory;
    for (size_t last = 0; !done;) {
      const Snapshot snapshot = take_snapshot(memory);
      const size_t now = snapshot.samples.size() + snapshot.left_out;
      if (now < last) ++shrank;
      last = now;
    }
  });
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([t] {
      for (size_t i = 0; i < kEach; ++i) {
        Registered& own = all[t][i];
        own.name = "test_stress_" + std::to_string(t) + "_" + std::to_string(i);
        own.metric.name = own.name.c_str();
        own.metric.help = "One of many.";
        own.metric.context = &own;
        own.metric.read = [](void* context, Emitter& out) noexcept {
          out.emit(static_cast<int64_t>(static_cast<Registered*>(context)->name.size()));
        };
        register_metric(own.metric);
        register_metric(contended);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  done = true;
  reader.join();
  EXPECT_EQ(shrank, 0u);
  EXPECT_EQ(registered_times("test_contended"), 1u);
  std::set<std::string> names;
  for (const Metric* m = first_metric(); m != nullptr; m = next_metric(*m)) {
    if (std::strncmp(m->name, "test_stress_", 12) != 0) continue;
    EXPECT_TRUE(names.insert(m->name).second) << m->name;
  }
  EXPECT_EQ(names.size(), kThreads * kEach);
}

TEST(Registry, KeepsTheOrderOfRegistration) {
  static Metric first{.name = "test_order_1", .help = "First."};
  static Metric second{.name = "test_order_2", .help = "Second."};
  register_metric(first);
  register_metric(second);
  bool seen_first = false;
  for (const Metric* m = first_metric(); m != nullptr; m = next_metric(*m)) {
    if (m == &first) seen_first = true;
    if (m == &second) {
      EXPECT_TRUE(seen_first);
    }
  }
  EXPECT_TRUE(seen_first);
}

TEST(Metric, EveryEnumeratorHasAName) {
  for (Unit u : {Unit::kCount, Unit::kBytes, Unit::kBytesPerSecond, Unit::kNanoseconds,
                 Unit::kUnixSeconds, Unit::kMillionths}) {
    EXPECT_STRNE(name(u), "unknown");
  }
  for (Type t : {Type::kGauge, Type::kCounter, Type::kInfo}) EXPECT_STRNE(name(t), "unknown");
  for (Source s :
       {Source::kOwnBooks, Source::kKernel, Source::kHardware, Source::kHost, Source::kEstimate}) {
    EXPECT_STRNE(name(s), "unknown");
  }
}

}  // namespace
}  // namespace numaheap::stats

#include "numaheap/stats/doctor.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "made_snapshot.hpp"
#include "numaheap/stats/doctor_metrics.hpp"
#include "numaheap/stats/host_figures.hpp"
#include "numaheap/stats/info.hpp"

namespace numaheap::stats {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kKiB = 1024;
constexpr int64_t kMiB = 1024 * kKiB;
constexpr int64_t kGiB = 1024 * kMiB;

/// A process of 1 GiB in which every rule can be examined and nothing is wrong.
MadeSnapshot healthy() {
  MadeSnapshot made;
  made.add(kLiveBytes, kGiB).add(kPeakBytes, kGiB).add(kProcessResidentBytes, kGiB + 30 * kMiB);
  made.add(kAllocatedBytes, kGiB).add(kActiveBytes, kGiB).add(kResidentBytes, kGiB + 20 * kMiB);
  made.add(kFragmentedBytes, 10 * kMiB).add(kCachedBytes, 10 * kMiB).add(kSpilledBytes, 0);
  made.add(metric_name(HostFigure::kClients), 11, Unit::kCount);
  made.add(metric_name(HostFigure::kReplicas), 1, Unit::kCount);
  made.add(metric_name(HostFigure::kClientsNormal), 10 * kKiB);
  made.add(metric_name(HostFigure::kClientsReplicas), kKiB);
  made.add(metric_name(HostFigure::kCachedScripts), 3, Unit::kCount);
  made.add(kReturnedBytes, kGiB).add(kFreedRemoteBytes, kMiB).add(kLazyfreePendingBytes, 0);
  made.add(kDefragMovedBytes, 0).add(kDefragReclaimedBytes, 0);
  for (unsigned node : {0u, 2u}) {
    made.add(kRangeResidentBytes, kGiB, Unit::kBytes, {{"node", NodeId{node}}});
    made.add(kRangeElsewhereBytes, kMiB, Unit::kBytes, {{"node", NodeId{node}}});
    made.add(kBandwidth, 10 * kGiB, Unit::kBytesPerSecond, {{"node", NodeId{node}}});
    made.add(kBandwidthPeak, 20 * kGiB, Unit::kBytesPerSecond, {{"node", NodeId{node}}});
    made.add(kPlacement, 1, Unit::kCount, {{"node", NodeId{node}}, {"rung", "preferred"}});
  }
  return made;
}

KernelFacts healthy_facts() {
  return {.most_maps = 65530,
          .maps = 100,
          .numa_balancing = 0,
          .memory_nodes = 2,
          .swapped_bytes = 0,
          .huge_bytes = 100 * kMiB,
          .huge_pages = KernelFacts::HugePages::kMadvise};
}

Diagnosis examine(const MadeSnapshot& made, const KernelFacts& facts = healthy_facts()) {
  return Doctor().examine(made.get(), facts, 1s);
}

bool finds(Rule rule, const MadeSnapshot& made, const KernelFacts& facts = healthy_facts()) {
  const Finding& finding = examine(made, facts)[rule];
  EXPECT_NE(finding.verdict, Verdict::kNotExamined) << finding.not_examined_because;
  return finding.verdict == Verdict::kFound;
}

TEST(Doctor, FindsNothingInAHealthyProcess) {
  const Diagnosis diagnosis = examine(healthy());
  for (const Finding& finding : diagnosis.findings) {
    EXPECT_EQ(finding.verdict, Verdict::kFine) << finding.rule->id;
  }
  EXPECT_EQ(diagnosis.count(Verdict::kFine), kRules);
}

TEST(Doctor, RulesHaveDifferentNamesAndAllTexts) {
  std::set<std::string> ids;
  for (const RuleInfo& rule : doctor_rules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
    for (const char* text : {rule.problem, rule.advice}) {
      ASSERT_NE(text, nullptr);
      EXPECT_EQ(std::string(text).back(), '.') << rule.id;
    }
  }
}

TEST(Doctor, CallsAProcessBelowFiveMebibytesEmptyAndLeavesItsRatiosAlone) {
  EXPECT_FALSE(finds(Rule::kEmpty, healthy().set(kLiveBytes, 5 * kMiB)));
  const Diagnosis diagnosis = examine(healthy().set(kLiveBytes, 5 * kMiB - 1));
  EXPECT_EQ(diagnosis[Rule::kEmpty].verdict, Verdict::kFound);
  EXPECT_EQ(diagnosis[Rule::kBigPeak].verdict, Verdict::kNotExamined);
  EXPECT_STREQ(diagnosis[Rule::kBigPeak].not_examined_because, "hardly anything is allocated");
  EXPECT_EQ(diagnosis[Rule::kMapCount].verdict, Verdict::kFine);
}

TEST(Doctor, FindsAPeakAboveOneAndAHalfTimesTheLiveBytes) {
  EXPECT_FALSE(finds(Rule::kBigPeak, healthy().set(kPeakBytes, kGiB * 3 / 2)));
  EXPECT_TRUE(finds(Rule::kBigPeak, healthy().set(kPeakBytes, kGiB * 3 / 2 + 1)));
}

TEST(Doctor, FindsResidentMemoryAboveOnePointFourTimesTheLiveBytesAndTenMebibytes) {
  MadeSnapshot made = healthy().set(kLiveBytes, 100 * kMiB);
  EXPECT_FALSE(finds(Rule::kHighRss, made.set(kProcessResidentBytes, 140 * kMiB)));
  EXPECT_TRUE(finds(Rule::kHighRss, made.set(kProcessResidentBytes, 140 * kMiB + 1)));
  made.set(kLiveBytes, 20 * kMiB);
  EXPECT_FALSE(finds(Rule::kHighRss, made.set(kProcessResidentBytes, 30 * kMiB)))
      << "half as much again, but only 10 MiB";
  EXPECT_TRUE(finds(Rule::kHighRss, made.set(kProcessResidentBytes, 30 * kMiB + 1)));
}

TEST(Doctor, FindsFragmentationAboveATenthAndTenMebibytes) {
  MadeSnapshot made = healthy().set(kAllocatedBytes, 200 * kMiB);
  EXPECT_FALSE(finds(Rule::kAllocatorFragmentation, made.set(kFragmentedBytes, 20 * kMiB)));
  EXPECT_TRUE(finds(Rule::kAllocatorFragmentation, made.set(kFragmentedBytes, 20 * kMiB + 1)));
  made.set(kAllocatedBytes, 50 * kMiB);
  EXPECT_FALSE(finds(Rule::kAllocatorFragmentation, made.set(kFragmentedBytes, 10 * kMiB)));
  EXPECT_TRUE(finds(Rule::kAllocatorFragmentation, made.set(kFragmentedBytes, 10 * kMiB + 1)));
}

TEST(Doctor, FindsHeapMemoryResidentBeyondActiveAboveATenthAndTenMebibytes) {
  MadeSnapshot made = healthy().set(kActiveBytes, 200 * kMiB);
  EXPECT_FALSE(finds(Rule::kAllocatorRss, made.set(kResidentBytes, 220 * kMiB)));
  EXPECT_TRUE(finds(Rule::kAllocatorRss, made.set(kResidentBytes, 220 * kMiB + 1)));
  made.set(kActiveBytes, 50 * kMiB);
  EXPECT_FALSE(finds(Rule::kAllocatorRss, made.set(kResidentBytes, 60 * kMiB)));
}

TEST(Doctor, FindsMemoryOutsideOfTheHeapAboveATenthAndTenMebibytes) {
  MadeSnapshot made = healthy().set(kResidentBytes, 200 * kMiB);
  EXPECT_FALSE(finds(Rule::kProcessRss, made.set(kProcessResidentBytes, 220 * kMiB)));
  EXPECT_TRUE(finds(Rule::kProcessRss, made.set(kProcessResidentBytes, 220 * kMiB + 1)));
  made.set(kResidentBytes, 50 * kMiB);
  EXPECT_FALSE(finds(Rule::kProcessRss, made.set(kProcessResidentBytes, 60 * kMiB)));
}

TEST(Doctor, FindsClientsOfMoreThanTwoHundredKibibytesWithoutCountingReplicas) {
  const char* const bytes = metric_name(HostFigure::kClientsNormal);
  EXPECT_FALSE(finds(Rule::kClientBuffers, healthy().set(bytes, 10 * 200 * kKiB)));
  EXPECT_TRUE(finds(Rule::kClientBuffers, healthy().set(bytes, 10 * 200 * kKiB + 1)));
  const char* const clients = metric_name(HostFigure::kClients);
  EXPECT_FALSE(
      finds(Rule::kClientBuffers, healthy().set(bytes, kGiB).set(clients, 1, Unit::kCount)))
      << "only the replica is there";
}

TEST(Doctor, FindsReplicaBuffersOfMoreThanTenMebibytesTogether) {
  const char* const bytes = metric_name(HostFigure::kClientsReplicas);
  EXPECT_FALSE(finds(Rule::kReplicaBuffers, healthy().set(bytes, 10 * kMiB)));
  EXPECT_TRUE(finds(Rule::kReplicaBuffers, healthy().set(bytes, 10 * kMiB + 1)));
  const char* const replicas = metric_name(HostFigure::kReplicas);
  EXPECT_FALSE(
      finds(Rule::kReplicaBuffers, healthy().set(bytes, kGiB).set(replicas, 0, Unit::kCount)));
}

TEST(Doctor, FindsMoreThanAThousandScripts) {
  const char* const scripts = metric_name(HostFigure::kCachedScripts);
  EXPECT_FALSE(finds(Rule::kScripts, healthy().set(scripts, 1000, Unit::kCount)));
  EXPECT_TRUE(finds(Rule::kScripts, healthy().set(scripts, 1001, Unit::kCount)));
}

TEST(Doctor, FindsMuchThatIsFreedOnOtherNodes) {
  EXPECT_FALSE(finds(Rule::kRemoteFrees, healthy().set(kFreedRemoteBytes, kGiB / 4)));
  EXPECT_TRUE(finds(Rule::kRemoteFrees, healthy().set(kFreedRemoteBytes, kGiB / 4 + 1)));
  EXPECT_FALSE(finds(Rule::kRemoteFrees,
                     healthy().set(kReturnedBytes, 64 * kMiB).set(kFreedRemoteBytes, 64 * kMiB)))
      << "all of it, but not much";
}

TEST(Doctor, JudgesCountersByTheLastMinutesAndNotByAllTimes) {
  Doctor doctor;
  const KernelFacts facts = healthy_facts();
  MadeSnapshot made = healthy().set(kReturnedBytes, 100 * kGiB).set(kFreedRemoteBytes, kGiB);
  EXPECT_EQ(doctor.examine(made.get(), facts, 0s)[Rule::kRemoteFrees].verdict, Verdict::kFine);
  EXPECT_EQ(doctor.examine(made.get(), facts, 60s)[Rule::kRemoteFrees].verdict, Verdict::kFine);
  made.set(kReturnedBytes, 101 * kGiB).set(kFreedRemoteBytes, 2 * kGiB);
  const Diagnosis worse = doctor.examine(made.get(), facts, 70s);
  EXPECT_EQ(worse[Rule::kRemoteFrees].verdict, Verdict::kFound);
  EXPECT_DOUBLE_EQ(worse[Rule::kRemoteFrees].value, 1.0);
  EXPECT_EQ(doctor.examine(made.get(), facts, 130s)[Rule::kRemoteFrees].verdict, Verdict::kFound);
  EXPECT_EQ(doctor.examine(made.get(), facts, 200s)[Rule::kRemoteFrees].verdict, Verdict::kFine)
      << "nothing was freed since";
}

TEST(Doctor, TakesACounterThatFellForANewProcess) {
  Doctor doctor;
  const KernelFacts facts = healthy_facts();
  MadeSnapshot made = healthy().set(kReturnedBytes, 100 * kGiB).set(kFreedRemoteBytes, kGiB);
  (void)doctor.examine(made.get(), facts, 0s);
  (void)doctor.examine(made.get(), facts, 60s);
  made.set(kReturnedBytes, kGiB).set(kFreedRemoteBytes, kGiB / 2);
  const Finding finding = doctor.examine(made.get(), facts, 70s)[Rule::kRemoteFrees];
  EXPECT_EQ(finding.verdict, Verdict::kFound);
  EXPECT_DOUBLE_EQ(finding.value, 0.5);
}

TEST(Doctor, NamesTheNodeWhosePagesLieElsewhere) {
  MadeSnapshot made = healthy().remove(kRangeElsewhereBytes);
  made.add(kRangeElsewhereBytes, 0, Unit::kBytes, {{"node", NodeId{0}}});
  made.add(kRangeElsewhereBytes, kGiB / 10, Unit::kBytes, {{"node", NodeId{2}}});
  const Finding finding = examine(made)[Rule::kSpill];
  EXPECT_EQ(finding.verdict, Verdict::kFound);
  EXPECT_EQ(finding.node, NodeId{2});
  EXPECT_NEAR(finding.value, 0.1, 1e-6);
}

TEST(Doctor, DoesNotAskWhereMemorySpilledToOnOneNode) {
  KernelFacts facts = healthy_facts();
  facts.memory_nodes = 1;
  MadeSnapshot made = healthy().remove(kRangeElsewhereBytes).remove(kRangeResidentBytes);
  EXPECT_FALSE(finds(Rule::kSpill, made, facts));
  EXPECT_EQ(examine(made)[Rule::kSpill].verdict, Verdict::kNotExamined);
}

TEST(Doctor, FindsARangeThatIsFull) {
  EXPECT_TRUE(finds(Rule::kFullRange, healthy().set(kSpilledBytes, 1)));
}

TEST(Doctor, CallsItSwappingOnlyIfTheKernelSaysSoOrSaysNothing) {
  MadeSnapshot made = healthy().set(kProcessResidentBytes, kGiB - 1);
  KernelFacts facts = healthy_facts();
  EXPECT_FALSE(finds(Rule::kSwap, made, facts)) << "not touched yet";
  facts.swapped_bytes = 1;
  EXPECT_TRUE(finds(Rule::kSwap, made, facts));
  EXPECT_FALSE(finds(Rule::kSwap, healthy().set(kProcessResidentBytes, kGiB), facts));
  facts.swapped_bytes = KernelFacts::kNotAvailable;
  EXPECT_TRUE(finds(Rule::kSwap, made, facts));
}

TEST(Doctor, BlamesHugePagesForNoMoreThanTheyHold) {
  MadeSnapshot made = healthy().set(kProcessResidentBytes, 2 * kGiB);
  KernelFacts facts = healthy_facts();
  facts.huge_bytes = 64 * kMiB;
  EXPECT_FALSE(finds(Rule::kHugePageBloat, made, facts));
  facts.huge_bytes = kGiB;
  EXPECT_TRUE(finds(Rule::kHugePageBloat, made, facts));
  facts.huge_pages = KernelFacts::HugePages::kNever;
  EXPECT_FALSE(finds(Rule::kHugePageBloat, made, facts));
}

TEST(Doctor, FindsMappingsAboveHalfOfWhatTheKernelGrants) {
  KernelFacts facts = healthy_facts();
  facts.maps = 32765;
  EXPECT_FALSE(finds(Rule::kMapCount, healthy(), facts));
  facts.maps = 32766;
  EXPECT_TRUE(finds(Rule::kMapCount, healthy(), facts));
}

TEST(Doctor, FindsABacklogAndFullCachesBySharesOfLiveBytes) {
  EXPECT_FALSE(finds(Rule::kLazyfreeBacklog, healthy().set(kLazyfreePendingBytes, kGiB / 10)));
  EXPECT_TRUE(finds(Rule::kLazyfreeBacklog, healthy().set(kLazyfreePendingBytes, kGiB / 9)));
  EXPECT_FALSE(finds(Rule::kCacheOverhead, healthy().set(kCachedBytes, kGiB / 4)));
  EXPECT_TRUE(finds(Rule::kCacheOverhead, healthy().set(kCachedBytes, kGiB / 4 + 1)));
}

TEST(Doctor, AddsUpWhatANodesBandwidthIsMadeOf) {
  MadeSnapshot made = healthy().remove(kBandwidth);
  made.add(kBandwidth, 9 * kGiB, Unit::kBytesPerSecond,
           {{"node", NodeId{2}}, {"direction", "read"}});
  EXPECT_FALSE(finds(Rule::kBandwidth, made));
  made.add(kBandwidth, 8 * kGiB, Unit::kBytesPerSecond,
           {{"node", NodeId{2}}, {"direction", "write"}});
  const Finding finding = examine(made)[Rule::kBandwidth];
  EXPECT_EQ(finding.verdict, Verdict::kFound);
  EXPECT_EQ(finding.node, NodeId{2});
}

TEST(Doctor, DoesNotTakeTheHeapsOwnTrafficForThatOfTheNode) {
  MadeSnapshot made = healthy().remove(kBandwidth);
  made.add(kBandwidth, kGiB, Unit::kBytesPerSecond, {{"node", NodeId{0}}, {"source", "own_books"}});
  EXPECT_EQ(examine(made)[Rule::kBandwidth].verdict, Verdict::kNotExamined);
}

TEST(Doctor, FindsNumaBalancingWorseWhereARangeIsNotBound) {
  KernelFacts facts = healthy_facts();
  facts.numa_balancing = 1;
  EXPECT_EQ(examine(healthy(), facts)[Rule::kAutoNuma].severity, Severity::kNotice);
  MadeSnapshot made = healthy();
  made.add(kPlacement, 1, Unit::kCount, {{"node", NodeId{3}}, {"rung", "first touch"}});
  const Finding finding = examine(made, facts)[Rule::kAutoNuma];
  EXPECT_EQ(finding.verdict, Verdict::kFound);
  EXPECT_EQ(finding.severity, Severity::kWarning);
  EXPECT_EQ(finding.node, NodeId{3});
  facts.memory_nodes = 1;
  EXPECT_FALSE(finds(Rule::kAutoNuma, made, facts));
}

TEST(Doctor, FindsDefragThatMovesMuchAndGainsLittle) {
  MadeSnapshot made = healthy().set(kDefragMovedBytes, kGiB);
  EXPECT_TRUE(finds(Rule::kDefragWaste, made.set(kDefragReclaimedBytes, kGiB / 11)));
  EXPECT_FALSE(finds(Rule::kDefragWaste, made.set(kDefragReclaimedBytes, kGiB / 9)));
  EXPECT_FALSE(finds(Rule::kDefragWaste,
                     made.set(kDefragMovedBytes, 64 * kMiB).set(kDefragReclaimedBytes, 0)));
}

TEST(Doctor, SaysSinceWhenEachRuleFoundItWithoutABreak) {
  Doctor doctor;
  const KernelFacts facts = healthy_facts();
  const MadeSnapshot bad = healthy().set(kPeakBytes, 2 * kGiB);
  const MadeSnapshot unknown = healthy().remove(kPeakBytes);
  EXPECT_EQ(doctor.examine(bad.get(), facts, 100s)[Rule::kBigPeak].held, 0s);
  EXPECT_EQ(doctor.examine(bad.get(), facts, 130s)[Rule::kBigPeak].held, 30s);
  EXPECT_EQ(doctor.examine(healthy().get(), facts, 140s)[Rule::kBigPeak].held, 0s);
  EXPECT_EQ(doctor.examine(bad.get(), facts, 150s)[Rule::kBigPeak].held, 0s);
  EXPECT_EQ(doctor.examine(unknown.get(), facts, 155s)[Rule::kBigPeak].held, 0s);
  EXPECT_EQ(doctor.examine(bad.get(), facts, 160s)[Rule::kBigPeak].held, 0s);
  EXPECT_EQ(doctor.examine(bad.get(), facts, 161s)[Rule::kBigPeak].held, 1s);
}

TEST(Doctor, NamesTheFigureThatIsMissingInsteadOfFindingARuleFine) {
  const Diagnosis diagnosis = Doctor().examine(Snapshot{}, KernelFacts{}, 0s);
  for (const Finding& finding : diagnosis.findings) {
    EXPECT_EQ(finding.verdict, Verdict::kNotExamined) << finding.rule->id;
    EXPECT_NE(finding.missing, nullptr) << finding.rule->id;
    EXPECT_NE(finding.not_examined_because, nullptr) << finding.rule->id;
  }
  EXPECT_STREQ(diagnosis[Rule::kBigPeak].missing, kPeakBytes);
  EXPECT_STREQ(diagnosis[Rule::kMapCount].missing, "the number of the process' mappings");
}

TEST(Doctor, RepeatsWhyTheOwnerOfAFigureHasNone) {
  const Metric metric{.name = kPeakBytes, .help = ""};
  const Absence absence{.metric = &metric, .why = "another back end"};
  const MadeSnapshot made = healthy().remove(kPeakBytes);
  Snapshot snapshot = made.get();
  snapshot.absent = {&absence, 1};
  const Diagnosis diagnosis = Doctor().examine(snapshot, healthy_facts(), 0s);
  EXPECT_STREQ(diagnosis[Rule::kBigPeak].not_examined_because, "another back end");
}

TEST(Doctor, JudgesNoFiguresOfASnapshotThatHadNoRoomForAll) {
  Snapshot snapshot;
  const MadeSnapshot made = healthy();
  snapshot = made.get();
  snapshot.left_out = 1;
  const Diagnosis diagnosis = Doctor().examine(snapshot, healthy_facts(), 0s);
  EXPECT_EQ(diagnosis[Rule::kBigPeak].verdict, Verdict::kNotExamined);
  EXPECT_EQ(diagnosis[Rule::kSpill].verdict, Verdict::kNotExamined);
  EXPECT_EQ(diagnosis[Rule::kMapCount].verdict, Verdict::kFine);
}

TEST(Doctor, UsesTheThresholdsThatItIsGiven) {
  Thresholds thresholds;
  thresholds[Rule::kBigPeak].value = 3;
  thresholds[Rule::kScripts].is_on = false;
  Doctor doctor(thresholds);
  const MadeSnapshot made = healthy().set(kPeakBytes, 2 * kGiB);
  const Diagnosis diagnosis = doctor.examine(made.get(), healthy_facts(), 0s);
  EXPECT_EQ(diagnosis[Rule::kBigPeak].verdict, Verdict::kFine);
  EXPECT_EQ(diagnosis[Rule::kBigPeak].threshold.value, 3);
  EXPECT_EQ(diagnosis[Rule::kScripts].verdict, Verdict::kNotExamined);
  EXPECT_STREQ(diagnosis[Rule::kScripts].not_examined_because, "it is switched off");
}

}  // namespace
}  // namespace numaheap::stats

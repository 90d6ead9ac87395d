// The doctor over what the heap and the kernel really say on several nodes.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <fstream>
#include <vector>

#include "numa/on_nodes.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/stats/doctor.hpp"
#include "numaheap/stats/registry.hpp"

namespace numaheap {
namespace {

using stats::Rule;
using stats::Verdict;

stats::Diagnosis examine(const char* thresholds) {
  static std::array<stats::Sample, 1 << 12> samples;
  stats::Thresholds set;
  char error[200];
  EXPECT_TRUE(stats::set_thresholds(set, thresholds, error)) << error;
  return stats::Doctor(set).examine(stats::take_snapshot(samples, stats::Detail::kSummary),
                                    stats::read_kernel_facts(stats::FactsEffort::kAll),
                                    std::chrono::seconds(0));
}

void free_all(std::vector<void*>& blocks) {
  for (void* block : blocks) deallocate(block);
  blocks.clear();
  trim();
}

TEST(DoctorOnNodes, TellsFreesOnTheSameNodeFromThoseOnAnother) {
  NH_NEEDS_NODES(2);
  const std::vector<NodeId> nodes = tests::nodes_to_run_on();
  constexpr size_t kBlocks = 4096;
  constexpr size_t kBytes = 4096;
  std::vector<void*> kept(kBlocks);  // so that the heap is not empty
  std::vector<void*> freed_there(kBlocks);
  std::vector<void*> freed_here(kBlocks);
  tests::on_node(nodes[0], [&] {
    for (auto* blocks : {&kept, &freed_there, &freed_here}) {
      for (void*& block : *blocks) block = allocate(kBytes);
    }
    free_all(freed_here);
  });
  const char* const kFromOneMiB = "remote-frees.bytes=1MiB";
  const stats::Finding before = examine(kFromOneMiB)[Rule::kRemoteFrees];
  EXPECT_EQ(before.verdict, Verdict::kFine) << before.not_examined_because;
  EXPECT_EQ(before.value, 0);
  tests::on_node(nodes[1], [&] { free_all(freed_there); });
  const stats::Finding after = examine(kFromOneMiB)[Rule::kRemoteFrees];
  EXPECT_EQ(after.verdict, Verdict::kFound);
  EXPECT_NEAR(after.value, 0.5, 0.1) << "as much was freed here as there";
  EXPECT_GE(*after.amount, 0.9 * kBlocks * kBytes);
  free_all(kept);
}

TEST(DoctorOnNodes, CountsTheNodesThatTheKernelHas) {
  const stats::KernelFacts facts = stats::read_kernel_facts(stats::FactsEffort::kCheap);
  EXPECT_GE(facts.memory_nodes, static_cast<int64_t>(tests::nodes_with_memory().size()));
  if (tests::machine_is_ours()) {
    EXPECT_EQ(facts.memory_nodes, static_cast<int64_t>(tests::nodes_with_memory().size()));
  }
}

TEST(DoctorOnNodes, FindsThatTheKernelBalancesNodes) {
  NH_NEEDS_VM();
  NH_NEEDS_NODES(2);
  deallocate(allocate(1));
  const char* const kSwitch = "/proc/sys/kernel/numa_balancing";
  int before = -1;
  std::ifstream(kSwitch) >> before;
  for (const int on : {1, 0}) {
    std::ofstream(kSwitch) << on;
    const stats::Finding finding = examine("")[Rule::kAutoNuma];
    EXPECT_EQ(finding.verdict, on == 0 ? Verdict::kFine : Verdict::kFound);
    EXPECT_EQ(finding.severity, stats::Severity::kNotice) << "every range is bound";
  }
  std::ofstream(kSwitch) << before;
}

}  // namespace
}  // namespace numaheap

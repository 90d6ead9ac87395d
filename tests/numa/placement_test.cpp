// Where the kernel puts the pages of the ranges: needs nodes, so it runs in the virtual machines of tests/vm too.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cstring>
#include <fstream>
#include <memory>

#include "child_process.hpp"
#include "cpuset.hpp"
#include "node_ranges.hpp"
#include "numaheap/numa/residency_sample.hpp"

namespace numaheap::numa {
namespace {

using tests::Cpuset;
using tests::free_bytes;
using tests::in_child;
using tests::nodes_to_run_on;
using tests::nodes_with_memory;
using tests::on_node;
using tests::pages_by_node;

TEST(Placement, PagesOfARangeAreOnItsNodeWhoeverTouchesThem) {
  NH_NEEDS_NODES(2);
  auto ranges = std::make_unique<NodeRanges>();
  ASSERT_TRUE(ranges->reserved());
  const std::vector<NodeId> runners = nodes_to_run_on();
  const size_t piece = 64 * kPage;
  for (unsigned range = 0; range < ranges->nodes().size(); ++range) {
    const NodeId node = ranges->nodes()[range];
    EXPECT_EQ(ranges->rung(range), PolicyRung::kPreferred) << name(ranges->rung(range));
    char* start = ranges->open_in_small_pages(range, MiB(64));
    ASSERT_NE(start, nullptr);
    for (size_t i = 0; i < runners.size(); ++i) {
      on_node(runners[i], [&] { memset(start + i * piece, 1, piece); });
    }
    const size_t bytes = runners.size() * piece;
    EXPECT_EQ(pages_by_node(start, bytes)[node], bytes / kPage) << "node " << node.value;
    ASSERT_TRUE(ranges->give_back(range, ranges->range_start(range), Bytes{bytes}));
    EXPECT_EQ(pages_by_node(start, bytes)[kNoNode], bytes / kPage);
    memset(start, 2, bytes);
    EXPECT_EQ(pages_by_node(start, bytes)[node], bytes / kPage)
        << "after a purge, node " << node.value;
  }
}

TEST(Placement, PagesOfTheSideTableAreOnTheirRangesNode) {
  NH_NEEDS_NODES(2);
  auto ranges = std::make_unique<NodeRanges>();
  ASSERT_TRUE(ranges->reserved());
  for (unsigned range = 0; range < ranges->nodes().size(); ++range) {
    ASSERT_NE(ranges->open_in_small_pages(range, MiB(64)), nullptr);
    const size_t pages = MiB(64).value / kPage;
    char* side = static_cast<char*>(ranges->side_table()) + range * (ranges->span().value / kPage);
    memset(side, 1, pages);
    EXPECT_EQ(pages_by_node(side, pages)[ranges->nodes()[range]], pages / kPage);
  }
}

TEST(Placement, HugePagesOfARangeAreOnItsNode) {
  NH_NEEDS_NODES(2);
  auto ranges = std::make_unique<NodeRanges>();
  ASSERT_TRUE(ranges->reserved());
  for (unsigned range = 0; range < ranges->nodes().size(); ++range) {
    ASSERT_TRUE(ranges->open(range, MiB(64)));
    if (!ranges->advise_huge_pages(ranges->range_start(range), MiB(8), true))
      NH_SKIP("no huge pages");
    char* start = reinterpret_cast<char*>(ranges->range_start(range));
    memset(start, 1, MiB(8).value);
    EXPECT_EQ(pages_by_node(start, MiB(8).value)[ranges->nodes()[range]], MiB(8).value / kPage);
  }
}

TEST(Placement, AForkedChildsPagesAreOnTheRangesNode) {
  NH_NEEDS_NODES(2);
  auto ranges = std::make_unique<NodeRanges>();
  ASSERT_TRUE(ranges->reserved());
  const auto last = static_cast<unsigned>(ranges->nodes().size()) - 1;
  char* start = ranges->open_in_small_pages(last, MiB(64));
  ASSERT_NE(start, nullptr);
  memset(start, 1, 8 * kPage);
  EXPECT_EQ(in_child([&] {
              memset(start, 2, 16 * kPage);  // copies half of them, makes the other half
              NH_CHILD_EXPECT(pages_by_node(start, 16 * kPage)[ranges->nodes()[last]] == 16);
            }),
            0);
}

TEST(Placement, InterleavedPagesAreSpreadEvenlyOverAllNodes) {
  NH_NEEDS_NODES(2);
  auto ranges = std::make_unique<NodeRanges>();
  ASSERT_TRUE(ranges->reserved());
  const size_t nodes = ranges->nodes().size();
  char* start = ranges->open_in_small_pages(ranges->interleaved(), MiB(64));
  ASSERT_NE(start, nullptr);
  EXPECT_EQ(ranges->rung(ranges->interleaved()), PolicyRung::kInterleave);
  memset(start, 1, nodes * 100 * kPage);
  auto pages = pages_by_node(start, nodes * 100 * kPage);
  for (NodeId node : ranges->nodes()) EXPECT_EQ(pages[node], 100u) << "node " << node.value;
}

std::string weight_file(NodeId node) {
  return "/sys/kernel/mm/mempolicy/weighted_interleave/node" + std::to_string(node.value);
}

TEST(Placement, WeightedPagesFollowTheKernelsWeightsWhereItHasSome) {
  NH_NEEDS_NODES(2);
  NH_NEEDS_VM();
  auto ranges = std::make_unique<NodeRanges>();
  ASSERT_TRUE(ranges->reserved());
  const bool known = ranges->rung(ranges->weighted()) == PolicyRung::kWeighted;
  if (!known) {  // before Linux 6.9
    EXPECT_EQ(ranges->rung(ranges->weighted()), PolicyRung::kInterleave);
    EXPECT_EQ(ranges->refused_errno(ranges->weighted()), EINVAL);
  }
  const auto weight = [&](size_t i) { return known ? 2 * i + 1 : 1; };
  size_t sum = 0;
  for (size_t i = 0; i < ranges->nodes().size(); ++i) {
    if (known) std::ofstream(weight_file(ranges->nodes()[i])) << weight(i);
    sum += weight(i);
  }
  char* start = ranges->open_in_small_pages(ranges->weighted(), MiB(64));
  ASSERT_NE(start, nullptr);
  memset(start, 1, sum * 50 * kPage);
  auto pages = pages_by_node(start, sum * 50 * kPage);
  for (size_t i = 0; i < ranges->nodes().size(); ++i) {
    EXPECT_EQ(pages[ranges->nodes()[i]], weight(i) * 50) << "node " << ranges->nodes()[i].value;
    if (known) std::ofstream(weight_file(ranges->nodes()[i])) << 1;
  }
}

TEST(Placement, AFullNodeSpillsAndNobodyIsKilled) {
  NH_NEEDS_NODES(2);
  NH_NEEDS_VM();
  const NodeId full = nodes_with_memory().back();
  const size_t bytes = free_bytes(full) + MiB(32).value;
  EXPECT_EQ(in_child([&] {
              auto ranges = std::make_unique<NodeRanges>();
              NH_CHILD_EXPECT(ranges->reserved());
              const auto range = static_cast<unsigned>(ranges->nodes().size()) - 1;
              NH_CHILD_EXPECT(ranges->open(range, Bytes{bytes}));
              char* start = reinterpret_cast<char*>(ranges->range_start(range));
              for (size_t at = 0; at < bytes; at += kPage) start[at] = 1;
              auto pages = pages_by_node(start, bytes);
              const size_t there = pages[full];
              const size_t spilled = bytes / kPage - there - pages[kNoNode];
              NH_CHILD_EXPECT(pages[kNoNode] <= 1);  // the rest of the last page
              NH_CHILD_EXPECT(there > bytes / kPage / 2);
              NH_CHILD_EXPECT(spilled >= MiB(16).value / kPage);
              // The estimate sees it, also among pages that were never touched.
              const auto sample = sample_residency(ranges->range_start(range),
                                                   ranges->opened(range), full, 4096, 1);
              NH_CHILD_EXPECT(sample.has_value() && sample->pages == 4096);
              const auto is_near = [&](Bytes estimate, size_t truth) {
                return estimate.value + bytes / 50 > truth && estimate.value < truth + bytes / 50;
              };
              NH_CHILD_EXPECT(is_near(sample->resident, bytes));
              NH_CHILD_EXPECT(is_near(sample->elsewhere, spilled * kPage));
            }),
            0);
}

TEST(Placement, ReturnsTheChargeUnderStrictOvercommitAndKeepsThePolicy) {
  NH_NEEDS_NODES(2);
  NH_NEEDS_VM();
  const auto committed = [] {
    std::ifstream in("/proc/meminfo");
    for (std::string line; std::getline(in, line);) {
      if (line.rfind("Committed_AS:", 0) == 0) return std::atol(line.c_str() + 13) * 1024;
    }
    return -1L;
  };
  std::ofstream("/proc/sys/vm/overcommit_ratio") << 100 << std::flush;
  std::ofstream("/proc/sys/vm/overcommit_memory") << 2 << std::flush;
  auto ranges = std::make_unique<NodeRanges>();
  EXPECT_TRUE(ranges->reserved());
  const long before = committed();
  const auto last = static_cast<unsigned>(ranges->nodes().size()) - 1;
  char* start = ranges->open_in_small_pages(last, MiB(64));
  EXPECT_NE(start, nullptr);
  memset(start, 1, MiB(4).value);
  const uintptr_t piece = ranges->range_start(last) + MiB(16).value;
  const long opened = committed();
  EXPECT_GE(opened - before, long{64} << 20);
  EXPECT_TRUE(ranges->give_back(last, piece, MiB(32)));
  EXPECT_LE(committed(), opened - (long{31} << 20));
  EXPECT_TRUE(ranges->reopen(last, piece, MiB(32)));
  memset(reinterpret_cast<void*>(piece), 2, MiB(2).value);
  EXPECT_EQ(pages_by_node(reinterpret_cast<void*>(piece), MiB(2).value)[ranges->nodes()[last]],
            MiB(2).value / kPage);
  EXPECT_EQ(start[0], 1);
  const Status beyond = ranges->open(last, GiB(4));

  EXPECT_TRUE(!beyond && beyond.error().code == ErrorCode::kNoMemory);
  EXPECT_EQ(ranges->opened(last), MiB(64));
  std::ofstream("/proc/sys/vm/overcommit_memory") << 0 << std::flush;
}

TEST(Placement, ARangeKeepsItsNodeWhenTheCpusetShrinksAndGrowsAgain) {
  NH_NEEDS_NODES(2);
  NH_NEEDS_VM();
  auto ranges = std::make_unique<NodeRanges>();
  ASSERT_TRUE(ranges->reserved());
  const NodeSet all = read_machine().allowed;
  const auto last = static_cast<unsigned>(ranges->nodes().size()) - 1;
  const NodeId node = ranges->nodes()[last];
  char* start = ranges->open_in_small_pages(last, MiB(64));
  ASSERT_NE(start, nullptr);
  Cpuset cpuset;
  ASSERT_TRUE(cpuset.works());
  const size_t piece = 64 * kPage;

  ASSERT_TRUE(cpuset.set_memory_nodes("0"));
  EXPECT_EQ(tests::members(read_machine().allowed), std::vector<NodeId>{NodeId{0}});
  memset(start, 1, piece);
  EXPECT_EQ(pages_by_node(start, piece)[NodeId{0}], 64u)
      << "where memory is allowed, and nobody is killed";

  ASSERT_TRUE(cpuset.set_memory_nodes("0-" + std::to_string(node.value)));
  EXPECT_EQ(read_machine().allowed, all);
  memset(start + piece, 1, piece);
  EXPECT_EQ(pages_by_node(start + piece, piece)[node], 64u)
      << "the policy was not renumbered meanwhile";
}

TEST(Placement, PopulatesFromTheNodeWhereMbindIsRefused) {
  NH_NEEDS_NODES(2);
  EXPECT_EQ(
      in_child([] {
        NH_CHILD_EXPECT(
            tests::refuse_system_calls({{SYS_mbind, EPERM}, {SYS_set_mempolicy, EPERM}}));
        auto ranges = std::make_unique<NodeRanges>();
        NH_CHILD_EXPECT(ranges->reserved());
        CpuSet before;
        NH_CHILD_EXPECT(get_thread_affinity(before) == 0);
        const NodeSet with_cpus = read_machine().with_cpus;
        for (unsigned range = 0; range < ranges->nodes().size(); ++range) {
          const NodeId node = ranges->nodes()[range];
          const bool has_cpus = with_cpus.contains(node);
          NH_CHILD_EXPECT(ranges->rung(range) ==
                          (has_cpus ? PolicyRung::kPinnedPopulate : PolicyRung::kFirstTouch));
          NH_CHILD_EXPECT(ranges->refused_errno(range) == EPERM);
          NH_CHILD_EXPECT(ranges->needs_populate(range) == has_cpus);
          char* start = ranges->open_in_small_pages(range, MiB(64));
          NH_CHILD_EXPECT(start != nullptr);
          NH_CHILD_EXPECT(ranges->populate(range, ranges->range_start(range), MiB(1)));
          const NodeId populated =
              has_cpus ? node : kNoNode;  // by first touch nothing is there yet
          NH_CHILD_EXPECT(pages_by_node(start, MiB(1).value)[populated] == MiB(1).value / kPage);
          CpuSet after;
          NH_CHILD_EXPECT(get_thread_affinity(after) == 0);
          NH_CHILD_EXPECT(before.is_subset_of(after) && after.is_subset_of(before));
        }
      }),
      0);
}

TEST(Placement, FallsToFirstTouchOfOtherNodesWhereAffinityIsRefusedToo) {
  NH_NEEDS_NODES(2);
  EXPECT_EQ(in_child([] {
              NH_CHILD_EXPECT(
                  tests::refuse_system_calls({{SYS_mbind, EPERM}, {SYS_sched_setaffinity, EPERM}}));
              auto ranges = std::make_unique<NodeRanges>();
              NH_CHILD_EXPECT(ranges->reserved());
              for (unsigned range = 0; range < ranges->nodes().size(); ++range) {
                NH_CHILD_EXPECT(ranges->rung(range) == PolicyRung::kFirstTouch);
                NH_CHILD_EXPECT(ranges->refused_errno(range) == EPERM);
              }
            }),
            0);
}

}  // namespace
}  // namespace numaheap::numa

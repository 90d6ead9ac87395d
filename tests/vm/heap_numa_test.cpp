// The heap on several nodes, through its public face: memory lies where its thread runs, or where it was asked for. In the
// virtual machines of tests/vm/run, and on any machine with nodes.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "heap_on_nodes.hpp"
#include "numaheap/statistics.hpp"

namespace numaheap {
namespace {

using tests::Block;
using tests::condition_is;
using tests::expect_all_on;
using tests::filled;
using tests::free_all;
using tests::kPage;
using tests::mbind_is_refused;
using tests::memory_is_locked;
using tests::memory_stays;
using tests::mixed_sizes;
using tests::nodes_to_run_on;
using tests::nodes_with_memory;
using tests::on_node;
using tests::overcommit_is_strict;
using tests::pages_by_node;
using tests::placeable_nodes;

TEST(HeapOnNodes, RunsUnderTheConditionThatWasAskedFor) {
  if (condition_is("strict_overcommit")) NH_NEEDS_VM();
  int mode = 0;
  std::ifstream("/proc/sys/vm/overcommit_memory") >> mode;
  EXPECT_EQ(mode == 2, overcommit_is_strict);
  EXPECT_EQ(mbind_is_refused, condition_is("refuse_mbind"));
  EXPECT_TRUE(memory_stays);
  if (condition_is("locked_memory") && !memory_is_locked) NH_SKIP("mlockall is refused");
}

TEST(HeapOnNodes, EveryNodeHasARangeOnTheBestRungThatTheKernelGrants) {
  NH_NEEDS_NODES(2);
  deallocate(allocate(1));
  Statistics statistics{};
  read_statistics(statistics);
  std::vector<NodeId> placed;
  const auto runners = nodes_to_run_on();
  for (unsigned i = 0; i < statistics.placements; ++i) {
    const PlacementStatistics& placement = statistics.placement[i];
    if (placement.placing != numa::Placing::kNode) continue;
    placed.push_back(placement.node);
    const bool has_cpus = std::count(runners.begin(), runners.end(), placement.node) != 0;
    const auto refused =
        has_cpus ? numa::PolicyRung::kPinnedPopulate : numa::PolicyRung::kFirstTouch;
    EXPECT_EQ(placement.rung, mbind_is_refused ? refused : numa::PolicyRung::kPreferred)
        << "node " << placement.node.value << ": " << numa::name(placement.rung);
  }
  EXPECT_EQ(placed, nodes_with_memory());
}

TEST(HeapOnNodes, AllPagesOfThreadLocalAllocationsAreOnTheThreadsNode) {
  NH_NEEDS_NODES(2);
  for (NodeId node : nodes_to_run_on()) {
    on_node(node, [&] {
      std::vector<Block> blocks;
      for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(thread_node(), node);
        for (size_t size : mixed_sizes()) blocks.push_back(filled(allocate(size), size));
        expect_all_on(node, blocks);
        // The next round gets memory that was used, purged, or never touched.
        free_all(blocks);
        trim();
        if (round == 1) purge(node, GiB(1));
      }
    });
  }
}

TEST(HeapOnNodes, AllPagesOfZeroedAlignedAndResizedBlocksAreOnTheThreadsNode) {
  NH_NEEDS_NODES(2);
  for (NodeId node : nodes_to_run_on()) {
    on_node(node, [&] {
      std::vector<Block> blocks;
      for (size_t size : {size_t{100}, size_t{5000}, size_t{300'000}, MiB(5).value}) {
        blocks.push_back(filled(allocate_zeroed(size), size));
        blocks.push_back(filled(allocate_aligned(16384, size), size));
        void* grown = allocate(size / 2);
        ASSERT_NE(grown, nullptr);
        blocks.push_back(filled(reallocate(grown, size), size));
      }
      std::array<void*, 100> batch;
      ASSERT_EQ(allocate_batch(700, batch), batch.size());
      for (void* block : batch) blocks.push_back(filled(block, 700));
      expect_all_on(node, blocks);
      free_all(blocks);
    });
  }
}

TEST(HeapOnNodes, AllPagesOfAPlacedBlockAreOnItsNodeWhoeverAllocatesIt) {
  NH_NEEDS_NODES(2);
  for (NodeId from : nodes_to_run_on()) {
    on_node(from, [&] {
      for (NodeId node : placeable_nodes()) {
        std::vector<Block> blocks;
        for (size_t size : mixed_sizes()) {
          blocks.push_back(filled(allocate_on(Placement::node(node), size), size));
        }
        expect_all_on(node, blocks);
        Block& last = blocks.back();
        last.size *= 2;
        last = filled(reallocate(last.start, last.size), last.size);
        expect_all_on(node, {last});
        free_all(blocks);
      }
    });
  }
}

TEST(HeapOnNodes, InterleavedBlocksAreSpreadOverAllNodes) {
  NH_NEEDS_NODES(2);
  const auto nodes = nodes_with_memory();
  for (const Placement placement : {Placement::interleaved(), Placement::weighted()}) {
    const size_t size = MiB(32).value;
    void* block = allocate_on(placement, size);
    ASSERT_NE(block, nullptr);
    memset(block, 1, size);
    EXPECT_EQ(home_node(block), kNoNode);
    auto pages = pages_by_node(block, size);
    // Two huge pages more or less: where they are on, they are what is dealt out.
    const double share = static_cast<double>(size / kPage) / static_cast<double>(nodes.size());
    for (NodeId node : nodes) EXPECT_NEAR(static_cast<double>(pages[node]), share, 2 * 512);
    deallocate(block);
  }
}

TEST(HeapOnNodes, RefusesANodeThatIsNotThere) {
  errno = 0;
  EXPECT_EQ(allocate_on(Placement::node(NodeId{kMaxNodes - 1}), 100), nullptr);
  EXPECT_EQ(errno, EINVAL);
}

}  // namespace
}  // namespace numaheap

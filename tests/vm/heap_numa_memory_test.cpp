// Memory of a node that runs out, and memory that is given back.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "heap_on_nodes.hpp"
#include "numa/child_process.hpp"
#include "numaheap/stats/registry.hpp"

namespace numaheap {
namespace {

using tests::Block;
using tests::expect_all_on;
using tests::filled;
using tests::free_all;
using tests::in_child;
using tests::kPage;
using tests::mixed_sizes;
using tests::nodes_to_run_on;
using tests::on_node;
using tests::overcommit_is_strict;
using tests::pages_by_node;
using tests::placeable_nodes;
using tests::resident_pages;

/// What a reader of the metrics sees of a node's range.
int64_t metric_of(const char* name, NodeId node) {
  static stats::Sample memory[4096];
  const stats::Sample* sample =
      stats::take_snapshot(memory, stats::Detail::kSummary).find(name, {node});
  return sample == nullptr ? -1 : sample->value;
}

TEST(HeapOnNodes, AFullNodeSpillsAndTheEstimateSeesItAndNobodyIsKilled) {
  NH_NEEDS_NODES(2);
  NH_NEEDS_VM();
  const NodeId full = placeable_nodes().back();
  const size_t bytes = tests::free_bytes(full) + MiB(48).value;
  EXPECT_EQ(
      in_child([&] {
        std::vector<Block> blocks;
        size_t spilled = 0;
        for (size_t taken = 0; taken < bytes; taken += MiB(1).value) {
          blocks.push_back(filled(allocate_on(Placement::node(full), MiB(1).value), MiB(1).value));
          NH_CHILD_EXPECT(blocks.back().start != nullptr);
          NH_CHILD_EXPECT(home_node(blocks.back().start) == full);
        }
        for (const Block& block : blocks) {
          for (const auto& [node, pages] : pages_by_node(block.start, block.size)) {
            spilled += node == full ? 0 : pages * kPage;
          }
        }
        NH_CHILD_EXPECT(spilled >= MiB(16).value);  // some became free while others were filled
        NH_CHILD_EXPECT(spilled < bytes / 2);       // but most fit
        const int64_t estimate = metric_of("numaheap_range_elsewhere_bytes", full);
        const int64_t error = estimate - static_cast<int64_t>(spilled);
        std::printf("goal: %zu MiB spilled, estimated %lld\n", spilled >> 20,
                    static_cast<long long>(estimate >> 20));
        std::fflush(stdout);  // a child ends without
        NH_CHILD_EXPECT(std::abs(error) <
                        static_cast<int64_t>(MiB(32).value));  // of a hundred samples
        NH_CHILD_EXPECT(estimate > 0);
      }),
      0);
}

TEST(HeapOnNodes, PurgeGivesTheMemoryOfOneNodeBackAndLeavesTheOthers) {
  NH_NEEDS_NODES(2);
  const std::vector<NodeId> nodes = nodes_to_run_on();
  std::vector<std::vector<Block>> freed(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    on_node(nodes[i], [&] {
      for (int n = 0; n < 1000; ++n) freed[i].push_back(filled(allocate(24'000), 24'000));
      for (const Block& block : freed[i]) deallocate(block.start);
      trim();
    });
  }
  std::vector<size_t> before;
  for (const auto& blocks : freed) {
    before.push_back(resident_pages(blocks));
    EXPECT_GT(before.back(), 1000 * 6 / 2) << "nothing is given back before it is asked for";
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    PurgeResult last{};
    size_t purged = 0;
    for (int calls = 0; calls < 1000; ++calls) {
      last = purge(nodes[i], MiB(4));
      purged += last.purged.value;
      EXPECT_LE(last.purged, MiB(16)) << "a call is bounded";
      if (last.purged == Bytes{0}) break;
    }
    EXPECT_GE(purged, MiB(16).value);
    EXPECT_LT(resident_pages(freed[i]), before[i] / 20) << "node " << nodes[i].value;
    for (size_t j = i + 1; j < nodes.size(); ++j) {
      EXPECT_EQ(resident_pages(freed[j]), before[j])
          << "node " << nodes[j].value << " was not asked";
    }
  }
}

/// What the kernel has promised to all processes.
size_t committed_bytes() {
  std::ifstream in("/proc/meminfo");
  const std::string key = "Committed_AS:";
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key, 0) == 0) return std::strtoul(line.c_str() + key.size(), nullptr, 10) * 1024;
  }
  return 0;
}

TEST(HeapOnNodes, PurgeReturnsTheChargeWhereTheKernelChargesBeforeItIsTouched) {
  NH_NEEDS_NODES(2);
  const NodeId node = nodes_to_run_on().back();
  on_node(node, [&] {
    for (int round = 0; round < 2; ++round) {
      void* block = allocate(MiB(100).value);
      ASSERT_NE(block, nullptr);
      expect_all_on(node, {filled(block, MiB(100).value)});
      deallocate(block);
      const size_t before = committed_bytes();
      while (purge(node, MiB(64)).purged != Bytes{0}) {
      }
      const size_t after = committed_bytes();
      EXPECT_EQ(overcommit_is_strict, after + MiB(90).value < before) << before << " to " << after;
    }
  });
}

TEST(HeapOnNodes, AForkedChildAllocatesOnItsNode) {
  NH_NEEDS_NODES(2);
  for (NodeId node : nodes_to_run_on()) {
    on_node(node, [&] {
      void* before = allocate(1000);
      EXPECT_EQ(in_child([&] {
                  std::vector<Block> blocks;
                  for (size_t size : mixed_sizes()) blocks.push_back(filled(allocate(size), size));
                  expect_all_on(node, blocks);
                  free_all(blocks);
                  NH_CHILD_EXPECT(!testing::Test::HasFailure());
                }),
                0);
      deallocate(before);
    });
  }
}

}  // namespace
}  // namespace numaheap

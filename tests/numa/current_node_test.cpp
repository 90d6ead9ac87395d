// Which node a thread runs on, on a machine that has several: labelled numa.
#include <gtest/gtest.h>

#include "numaheap/numa/machine.hpp"
#include "on_nodes.hpp"

namespace numaheap::numa {
namespace {

using tests::nodes_to_run_on;
using tests::on_node;

TEST(CurrentNode, IsTheNodeThatTheThreadIsPinnedTo) {
  NH_NEEDS_NODES(2);
  for (NodeId node : nodes_to_run_on()) {
    on_node(node, [&] {
      EXPECT_EQ(current_node(), node);
      EXPECT_EQ(pinned_node(), node);
    });
  }
}

TEST(CurrentNode, FollowsAThreadThatMoves) {
  NH_NEEDS_NODES(2);
  std::thread([] {
    for (int round = 0; round < 3; ++round) {
      for (NodeId node : nodes_to_run_on()) {
        ASSERT_TRUE(tests::pin_to(node));
        EXPECT_EQ(current_node(), node);
      }
    }
  }).join();
}

TEST(PinnedNode, IsNoneForAThreadThatMayRunOnSeveral) {
  NH_NEEDS_NODES(2);
  std::thread([] {
    CpuSet cpus;
    for (NodeId node : nodes_to_run_on()) ASSERT_TRUE(read_node_cpus(kNodeDirectory, node, cpus));
    ASSERT_TRUE(set_thread_affinity(cpus));
    EXPECT_EQ(pinned_node(), kNoNode);
  }).join();
}

TEST(Machine, KnowsDistancesBetweenAllLiveNodes) {
  NH_NEEDS_NODES(2);
  const Machine machine = read_machine();
  for (NodeId from : tests::members(machine.online)) {
    for (NodeId to : tests::members(machine.online)) {
      const unsigned distance = machine.distance(from, to);
      EXPECT_TRUE(from == to ? distance == 10 : distance > 10 && distance < 255)
          << from.value << " " << to.value;
    }
  }
}

}  // namespace
}  // namespace numaheap::numa

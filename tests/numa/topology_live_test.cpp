#include <gtest/gtest.h>

#include "numaheap/numa/machine.hpp"
#include "numaheap/numa/topology.hpp"

namespace numaheap::numa {
namespace {

TEST(LiveTopology, AgreesWithTheKernelsOwnLists) {
  const Result<Topology> topology = Topology::load("live");
  ASSERT_TRUE(topology) << topology.error().text;
  if (!topology->is_this_system()) GTEST_SKIP() << "a variable of hwloc sets another topology";
  const Machine machine = read_machine();

  NodeSet online;
  NodeSet with_cpus;
  for (const TopologyNode& node : topology->nodes()) {
    online.insert(node.id);
    if (!node.cpus.empty()) with_cpus.insert(node.id);
    for (const TopologyNode& other : topology->nodes()) {
      const std::optional<unsigned> distance = topology->distance(node.id, other.id);
      if (!distance) continue;
      EXPECT_EQ(*distance, machine.distance(node.id, other.id));
    }
  }
  EXPECT_EQ(to_list(online), to_list(machine.online));
  EXPECT_EQ(to_list(with_cpus), to_list(machine.with_cpus));
  EXPECT_EQ(to_list(topology->usable_nodes()), to_list(machine.allowed));
  EXPECT_EQ(topology->nodes_of(topology->online_cpus()), with_cpus);
}

TEST(LiveTopology, PinsAThreadToALocationThatTheKernelTakes) {
  const Result<Topology> topology = Topology::load("live");
  ASSERT_TRUE(topology) << topology.error().text;
  if (!topology->is_this_system()) GTEST_SKIP() << "a variable of hwloc sets another topology";
  for (const TopologyNode& node : topology->nodes()) {
    const CpuSet cpus = node.cpus & topology->allowed_cpus();
    if (cpus.empty()) continue;
    const Status pinned = set_thread_affinity(cpus);
    ASSERT_TRUE(pinned) << pinned.error().text;
    EXPECT_EQ(pinned_node(), node.id);
    EXPECT_EQ(current_node(), node.id);
  }
  EXPECT_TRUE(set_thread_affinity(topology->allowed_cpus()));
}

}  // namespace
}  // namespace numaheap::numa

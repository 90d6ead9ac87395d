#include <gtest/gtest.h>
#include <sched.h>

#include <memory>

#include "numaheap/numa/machine.hpp"
#include "numaheap/numa/roles.hpp"

namespace numaheap::numa {
namespace {

TEST(LiveRoles, PinAThreadToItsNodeAndTellTheSameMemory) {
  const Result<Topology> topology = Topology::load("live");
  ASSERT_TRUE(topology) << topology.error().text;
  if (!topology->is_this_system()) GTEST_SKIP() << "a variable of hwloc sets another topology";
  for (const TopologyNode& node : topology->nodes()) {
    if ((node.cpus & topology->allowed_cpus()).empty() ||
        !topology->usable_nodes().contains(node.id))
      continue;
    const RoleResult roles =
        parse_roles("[roles.default]\nwhere = 'numa:" + std::to_string(node.logical_index) +
                        "'\nmemory = 'node:" + std::to_string(node.id.value) + "'\n",
                    "roles.toml");
    ASSERT_TRUE(roles.plan) << to_text(roles.mistakes.at(0));
    const auto table = std::make_unique<RoleTable>();
    ASSERT_TRUE(table->parse(encode(*roles.plan)));
    const Result<RolePlacement> placement = apply_role((*table)[0]);
    ASSERT_TRUE(placement) << placement.error().text;
    EXPECT_EQ(placement->node, node.id);
    EXPECT_EQ(current_node(), node.id);
    EXPECT_EQ(pinned_node(), node.id);
  }
  EXPECT_TRUE(set_thread_affinity(topology->allowed_cpus()));
}

}  // namespace
}  // namespace numaheap::numa

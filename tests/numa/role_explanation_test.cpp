// What becomes of a plan: the text that the preload object reads, and the one for people.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "role_plans.hpp"

namespace numaheap::numa {
namespace {

using tests::kData;
using tests::kFourNodes;
using tests::plan_of;

TEST(RolePlanText, IsReadBackByTheTable) {
  const RolePlan plan = plan_of(kFourNodes + R"(
[roles.default]
where = "numa:0-1"
[roles.odd]
threads = ["a,b", "100%", "x;y|z", "tab\t*", "ünï", "[!a-z]?\\*"]
memory = "interleaved"
[roles.one]
threads = "one"
where = "numa:3"
memory = "node:2"
spill = ["node:3", "node:0"]
soft_limit = "1MiB"
hard_limit = "2MiB"
[roles.weighted]
memory = "weighted"
)");
  const auto table = std::make_unique<RoleTable>();
  const Status status = table->parse(encode(plan));
  ASSERT_TRUE(status) << status.error().text << ": " << encode(plan);
  ASSERT_EQ(table->size(), plan.roles.size());
  for (unsigned i = 0; i < table->size(); ++i) {
    const RoleEntry& entry = (*table)[i];
    const Role& role = plan.roles[i];
    EXPECT_EQ(entry.name, role.name);
    ASSERT_EQ(entry.pattern_count, role.threads.size());
    for (unsigned p = 0; p < entry.pattern_count; ++p)
      EXPECT_EQ(entry.patterns[p], role.threads[p]);
    EXPECT_EQ(entry.cpus, role.cpus);
    EXPECT_EQ(entry.memory, role.memory);
    EXPECT_EQ(entry.nodes, role.nodes);
    EXPECT_EQ(entry.spill_nearest, role.spill.empty());
    EXPECT_EQ(std::vector<NodeId>(entry.spill, entry.spill + entry.spill_count), role.spill);
    EXPECT_EQ(entry.soft_limit, role.soft_limit);
    EXPECT_EQ(entry.hard_limit, role.hard_limit);
  }
  EXPECT_STREQ(table->match("a,b").name, "odd");
  EXPECT_STREQ(table->match("one").name, "one");
}

TEST(RoleExplanation, SaysWhatIsCalledAndWhatIsRefused) {
  const RolePlan plan = plan_of("[topology]\nsource = 'xml:" + kData + R"(/restricted_by_cgroup.xml'
[roles.default]
where = "numa:0-2"
[roles.bio]
threads = ["bio_*", "lazyfree"]
where = "numa:1"
memory = "node:1"
spill = ["node:0"]
soft_limit = "1536MiB"
hard_limit = "2GiB"
[roles.index]
memory = "weighted"
)");
  EXPECT_EQ(to_text(explain(plan)), R"(role default
  threads       all that no other role takes
  CPUs          2-5 (numa:0-2)
  memory        local, nodes 0-1 (mask 0x3)
  spill         from node 0 to 1
  spill         from node 1 to 0
  system call   sched_setaffinity(each thread, 2-5)
  system call   mbind(the range of node 0, MPOL_PREFERRED, 0x1)
  system call   mbind(the range of node 1, MPOL_PREFERRED, 0x2)
  refused       CPUs 0-1 may not be run on: the cgroup's cpuset says so.
  refused       Threads on node 2 get no memory there: the cgroup's cpuset forbids it; theirs comes from the nearest node.
role bio
  threads       bio_*, lazyfree
  CPUs          2-3 (numa:1)
  memory        node, nodes 1 (mask 0x2)
  spill         from node 1 to 0
  soft limit    1536MiB live on each node
  hard limit    2GiB live on each node
  system call   sched_setaffinity(each thread, 2-3)
  system call   mbind(the range of node 1, MPOL_PREFERRED, 0x2)
role index
  threads       those that join by call
  CPUs          not pinned
  memory        weighted, nodes 0-1 (mask 0x3)
  system call   mbind(the weighted range, MPOL_WEIGHTED_INTERLEAVE, 0x3)
)");
}

TEST(RoleExplanation, SpillsToTheNearestNodesFirst) {
  const RolePlan plan = plan_of("[topology]\nsource = 'xml:" + kData +
                                "/memory_only_node.xml'\n[roles.default]\nwhere = 'numa:1'\n");
  const std::vector<RoleExplanation> roles = explain(plan);
  ASSERT_EQ(roles.at(0).spill.size(), 1u);
  EXPECT_EQ(roles[0].spill[0].from, NodeId{1});
  EXPECT_EQ(roles[0].spill[0].to, (std::vector<NodeId>{NodeId{0}, NodeId{2}}));
}

TEST(RoleExplanation, WritesMasksOfManyNodes) {
  const RolePlan plan =
      plan_of("[topology]\nsource = 'numa:70 pu:1'\n[roles.default]\nmemory = 'interleaved'\n");
  EXPECT_EQ(explain(plan).at(0).node_mask, "0x3fffffffffffffffff");
}

TEST(RoleExplanation, BindsNothingOnAMachineOfOneNode) {
  const RolePlan plan = plan_of("[topology]\nsource = 'numa:1 pu:4'\n");
  EXPECT_TRUE(explain(plan).at(0).system_calls.empty());
  EXPECT_TRUE(explain(plan).at(0).refused.empty());
}

}  // namespace
}  // namespace numaheap::numa

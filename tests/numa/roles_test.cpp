#include "numaheap/numa/roles.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "role_plans.hpp"

namespace numaheap::numa {
namespace {

using tests::kData;
using tests::kFourNodes;
using tests::messages;
using tests::plan_of;

using Texts = std::vector<std::string>;

TEST(Roles, AreReadAsTheHeaderShowsThem) {
  const RolePlan plan = plan_of(kFourNodes + R"(
[roles.default]
where = "numa:0"
[roles.bio]
threads = ["bio_*", "lazyfree"]
where = ["numa:1.core:0-1", "numa:1.core:3"]
memory = "node:1"
spill = ["node:0", "node:3"]
soft_limit = "3GiB"
hard_limit = 4294967296
)");
  ASSERT_EQ(plan.roles.size(), 2u);
  const Role& everyone = plan.roles[0];
  EXPECT_EQ(everyone.name, "default");
  EXPECT_EQ(to_list(everyone.cpus), "0-3");
  EXPECT_EQ(everyone.memory, RoleMemory::kLocal);
  EXPECT_EQ(to_list(everyone.nodes), "0");
  EXPECT_TRUE(everyone.spill.empty());
  const Role& bio = plan.roles[1];
  EXPECT_EQ(bio.threads, (Texts{"bio_*", "lazyfree"}));
  EXPECT_EQ(to_list(bio.cpus), "4-5,7");
  EXPECT_EQ(bio.memory, RoleMemory::kNode);
  EXPECT_EQ(to_list(bio.nodes), "1");
  EXPECT_EQ(bio.spill, (std::vector<NodeId>{NodeId{0}, NodeId{3}}));
  EXPECT_EQ(bio.soft_limit, GiB(3));
  EXPECT_EQ(bio.hard_limit, GiB(4));
}

TEST(Roles, ComeInTheOrderOfTheFileAfterDefault) {
  const RolePlan plan = plan_of(
      "roles.zebra.threads = 'z*'\nroles.ape.threads = 'a*'\nroles.default.memory = "
      "'interleaved'\nroles.cat.threads = 'c*'\n" +
      kFourNodes);
  Texts names;
  for (const Role& role : plan.roles) names.push_back(role.name);
  EXPECT_EQ(names, (Texts{"default", "zebra", "ape", "cat"}));
}

TEST(Roles, OfAnEmptyFileAreDefaultOnTheLiveMachine) {
  const RolePlan plan = plan_of("");
  ASSERT_EQ(plan.roles.size(), 1u);
  EXPECT_EQ(plan.topology->source(), "live");
  EXPECT_TRUE(plan.roles[0].cpus.empty());
  EXPECT_EQ(plan.roles[0].nodes, plan.topology->usable_nodes());
}

TEST(Roles, ReadTheSizeOfALimitInAnyUnit) {
  const auto limit = [](const std::string& value) {
    return plan_of(kFourNodes + "[roles.default]\nhard_limit = " + value).roles[0].hard_limit;
  };
  EXPECT_EQ(limit("1"), Bytes{1});
  EXPECT_EQ(limit("'512'"), Bytes{512});
  EXPECT_EQ(limit("'3KiB'"), KiB(3));
  EXPECT_EQ(limit("'512 MiB'"), MiB(512));
  EXPECT_EQ(limit("'2TiB'"), TiB(2));
}

TEST(Roles, KeepTheAllowedCpusAndNameTheOthers) {
  const RolePlan plan =
      plan_of("[topology]\nsource = 'xml:" + kData +
              "/restricted_by_cgroup.xml'\n[roles.default]\nwhere = 'numa:0-2'\n");
  EXPECT_EQ(to_list(plan.roles[0].cpus), "2-5");
  EXPECT_EQ(to_list(plan.roles[0].refused_cpus), "0-1");
  EXPECT_EQ(to_list(plan.roles[0].nodes), "0-1") << "node 2 is forbidden, its nearest is 0";
}

TEST(Roles, GetMemoryFromTheNearestNodeWhereTheirOwnHasNone) {
  const RolePlan plan = plan_of("[topology]\nsource = 'xml:" + kData +
                                "/node_without_memory.xml'\n[roles.default]\nwhere = 'numa:1'\n");
  EXPECT_EQ(to_list(plan.roles[0].cpus), "2-3");
  EXPECT_EQ(to_list(plan.roles[0].nodes), "0");
}

TEST(Roles, AreReadFromAFileWhoseXmlLiesBesideIt) {
  std::string name = (std::filesystem::temp_directory_path() / "numaheap-roles-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  const std::filesystem::path folder = name;
  std::filesystem::copy(kData + "/node_numbers_with_holes.xml", folder / "machine.xml");
  std::ofstream(folder / "roles.toml")
      << "[topology]\nsource = 'xml:machine.xml'\n[roles.default]\nmemory = 'node:7'\n";
  const RoleResult result = load_roles(folder / "roles.toml");
  EXPECT_EQ(messages(result), Texts{});
  ASSERT_TRUE(result.plan);
  EXPECT_EQ(to_list(result.plan->roles[0].nodes), "7");
  std::filesystem::remove_all(folder);
}

TEST(Roles, PinDefaultFromOutsideTheFileOnce) {
  RolePlan plan = plan_of(kFourNodes);
  EXPECT_EQ(pin_default(plan, "numa:9"),
            "there is no numa:9 in this machine, which has numa:0 to numa:3");
  EXPECT_EQ(pin_default(plan, "numa:2"), "");
  EXPECT_EQ(to_list(plan.roles[0].cpus), "8-11");
  EXPECT_EQ(to_list(plan.roles[0].nodes), "2");
  EXPECT_EQ(pin_default(plan, "numa:1"), "the role default has the location \"numa:2\" already");
}

}  // namespace
}  // namespace numaheap::numa

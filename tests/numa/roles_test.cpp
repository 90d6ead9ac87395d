#include "numaheap/numa/roles.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace numaheap::numa {
namespace {

const std::string kData = NUMAHEAP_TEST_DATA;
const std::string kFourNodes = "[topology]\nsource = 'numa:4 core:4 pu:1'\n";

std::vector<std::string> messages(const RoleResult& result) {
  std::vector<std::string> texts;
  for (const RoleMistake& mistake : result.mistakes) texts.push_back(to_text(mistake));
  return texts;
}

RolePlan plan_of(const std::string& toml) {
  RoleResult result = parse_roles(toml, "roles.toml");
  for (const std::string& text : messages(result)) ADD_FAILURE() << text;
  if (!result.plan) std::abort();
  return std::move(*result.plan);
}

/// The mistakes in a role "bio" on four nodes of four CPUs; its keys start in line 4.
std::vector<std::string> mistakes_in_role(const std::string& keys) {
  return messages(parse_roles(kFourNodes + "[roles.bio]\n" + keys, "roles.toml"));
}

std::string mistake_in_role(const std::string& keys) {
  const std::vector<std::string> texts = mistakes_in_role(keys);
  return texts.size() == 1 ? texts[0] : std::to_string(texts.size()) + " mistakes";
}

/// The same on another topology, that of a file in data/.
std::string mistake_on(const std::string& file, const std::string& keys) {
  const std::string toml =
      "[topology]\nsource = 'xml:" + kData + '/' + file + "'\n[roles.bio]\n" + keys;
  const std::vector<std::string> texts = messages(parse_roles(toml, "roles.toml"));
  return texts.size() == 1 ? texts[0] : std::to_string(texts.size()) + " mistakes";
}

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

TEST(RoleMistakes, AreAllListedInTheOrderOfTheFile) {
  EXPECT_EQ(
      messages(parse_roles(R"([topology]
source = "numa:2 core:2 pu:1"
sauce = 1
[role.bio]
threads = ["a"]
[roles.default]
threads = ["b"]
[roles.bio]
where = "numa:2"
memory = "nod:1"
cpus = "0-3"
)",
                           "etc/roles.toml")),
      (Texts{
          "etc/roles.toml:3: topology.sauce = 1: this is not known; accepted is source",
          "etc/roles.toml:4: role: this is not known; accepted are [topology] and [roles.NAME]",
          "etc/roles.toml:7: roles.default.threads = [\"b\"]: default takes every thread that no "
          "other role takes; accepted in other roles only",
          "etc/roles.toml:9: roles.bio.where = \"numa:2\": there is no numa:2 in this machine, "
          "which has numa:0 to numa:1",
          "etc/roles.toml:10: roles.bio.memory = \"nod:1\": accepted are \"local\", \"node:N\", "
          "\"interleaved\" and \"weighted\"",
          "etc/roles.toml:11: roles.bio.cpus = \"0-3\": this is no key of a role; accepted are "
          "threads, where, memory, spill, soft_limit and hard_limit",
      }));
}

TEST(RoleMistakes, NameTheFileThatIsNoToml) {
  EXPECT_EQ(messages(parse_roles("[roles.bio\n", "r.toml")).size(), 1u);
  EXPECT_EQ(messages(parse_roles("[roles.bio\n", "r.toml"))[0].substr(0, 18), "r.toml:1: not TOML");
  const std::string twice = messages(parse_roles("[roles.a]\n[roles.a]\n", "r.toml")).at(0);
  EXPECT_EQ(twice.substr(0, 18), "r.toml:2: not TOML") << twice;
  EXPECT_EQ(messages(load_roles("/nowhere/roles.toml")),
            (Texts{"/nowhere/roles.toml: the file cannot be read: No such file or directory"}));
  EXPECT_EQ(messages(load_roles("/")), (Texts{"/: the file cannot be read: Is a directory"}));
}

TEST(RoleMistakes, NameTheTopologyThatIsNone) {
  const auto mistake = [](const std::string& toml) {
    return messages(parse_roles(toml, "r.toml")).at(0);
  };
  EXPECT_EQ(mistake("[topology]\nsource = 'xml:/nowhere.xml'"),
            "r.toml:2: topology.source = \"xml:/nowhere.xml\": there is no such file");
  EXPECT_EQ(mistake("[topology]\nsource = 'socket:2'"),
            "r.toml:2: topology.source = \"socket:2\": accepted are \"live\", \"xml:PATH\" and a "
            "synthetic topology of hwloc such as \"numa:4 core:2 pu:1\"");
  EXPECT_EQ(mistake("[topology]\nsource = 4"),
            "r.toml:2: topology.source = 4: this is not a string; accepted are \"live\", "
            "\"xml:PATH\" and a synthetic topology of hwloc");
  EXPECT_EQ(mistake("topology = 'live'"),
            "r.toml:1: topology = \"live\": this is not a table; accepted is [topology] with the "
            "key source");
}

TEST(RoleMistakes, NameRolesThatAreNone) {
  const auto mistake = [](const std::string& toml) {
    return messages(parse_roles(kFourNodes + toml, "r.toml")).at(0);
  };
  const std::string keys = "threads, where, memory, spill, soft_limit and hard_limit";
  EXPECT_EQ(mistake("[roles]\nbio = 'numa:0'"),
            "r.toml:4: roles.bio = \"numa:0\": a role is a table; accepted is [roles.bio] with the "
            "keys " +
                keys);
  EXPECT_EQ(mistake("[[roles]]\nwhere = 'all'").substr(0, 16), "r.toml:3: roles ");
  EXPECT_EQ(mistake("[roles.'b o']\nwhere = 'all'"),
            "r.toml:3: roles.b o: this is not the name of a role; accepted are 1 to 31 letters, "
            "digits, _ and -");
  std::string many;
  for (int i = 0; i < 32; ++i) many += "[roles.r" + std::to_string(i) + "]\n";
  EXPECT_EQ(mistake(many),
            "r.toml:34: roles.r31: this is one role too many; accepted are 32 with default");
}

TEST(RoleMistakes, NamePatternsThatNoThreadCanMatch) {
  EXPECT_EQ(mistake_in_role("threads = 4"),
            "roles.toml:4: roles.bio.threads = 4: this is neither a string nor a list of strings; "
            "accepted are patterns on the names of threads, e.g. [\"bio_*\"]");
  EXPECT_EQ(mistake_in_role("threads = []"),
            "roles.toml:4: roles.bio.threads = []: this is neither a string nor a list of strings; "
            "accepted are patterns on the names of threads, e.g. [\"bio_*\"]");
  EXPECT_EQ(mistake_in_role("threads = ['a',\n 5]"),
            "roles.toml:5: roles.bio.threads = 5: this is not a string; accepted are patterns on "
            "the names of threads, e.g. [\"bio_*\"]");
  EXPECT_EQ(mistake_in_role("threads = ''"),
            "roles.toml:4: roles.bio.threads = \"\": accepted are patterns of 1 to 63 bytes");
  EXPECT_EQ(mistake_in_role("threads = 'background_writer'"),
            "roles.toml:4: roles.bio.threads = \"background_writer\": no thread has that name: "
            "accepted are names of at most 15 bytes, as pthread_setname_np(3) takes them");
  EXPECT_EQ(mistake_in_role("threads = 'a[[:digit:]]'"),
            "roles.toml:4: roles.bio.threads = \"a[[:digit:]]\": named classes of characters are "
            "not known; accepted are *, ?, [a-z] and [!a-z]");
  EXPECT_EQ(mistake_in_role("threads = 'a*'\n[roles.two]\nthreads = 'a*'"),
            "roles.toml:6: roles.two.threads = \"a*\": the role bio has this pattern already; "
            "accepted is one role for each");
  std::string many = "threads = ['p0'";
  for (int i = 1; i < 17; ++i) many += ", 'p" + std::to_string(i) + '\'';
  EXPECT_EQ(mistake_in_role(many + ']').substr(0, 32), "roles.toml:4: roles.bio.threads ");
}

TEST(RoleMistakes, NameLocationsWithoutCpusThatCanBeUsed) {
  EXPECT_EQ(mistake_in_role("where = 'numa:0.core:0-4'"),
            "roles.toml:4: roles.bio.where = \"numa:0.core:0-4\": there is no core:0-4 in numa:0, "
            "which has core:0 to core:3");
  EXPECT_EQ(mistakes_in_role("where = ['numa:7',\n 'all',\n 'numa']").size(), 2u);
  EXPECT_EQ(mistakes_in_role("where = ['numa:7',\n 'all',\n 'numa']")[1].substr(0, 43),
            "roles.toml:6: roles.bio.where = \"numa\": \"nu");
  EXPECT_EQ(mistake_in_role("where = ['all', '~all']"),
            "roles.toml:4: roles.bio.where = [\"all\", \"~all\"]: there are no CPUs there; nodes "
            "with CPUs are numa:0 (node 0), numa:1 (node 1), numa:2 (node 2), numa:3 (node 3)");
  EXPECT_EQ(mistake_on("memory_only_node_with_hmat.xml", "where = 'numa:1'"),
            "roles.toml:4: roles.bio.where = \"numa:1\": there are no CPUs there; nodes with CPUs "
            "are numa:0 (node 0), numa:2 (node 1)");
  EXPECT_EQ(mistake_on("restricted_by_cgroup.xml", "where = 'numa:3'"),
            "roles.toml:4: roles.bio.where = \"numa:3\": this process may not run on the CPUs "
            "there (6-7); accepted are CPUs in 2-5");
}

TEST(RoleMistakes, NameNodesThatMemoryCannotLieOn) {
  const std::string words = "\"local\", \"node:N\", \"interleaved\" and \"weighted\"";
  EXPECT_EQ(mistake_in_role("memory = 1"),
            "roles.toml:4: roles.bio.memory = 1: this is not a string; accepted are " + words);
  for (const char* text : {"node", "node:", "node:x", "node:1x", "node:-1", "numa:1", ""}) {
    EXPECT_EQ(
        mistake_in_role("memory = '" + std::string(text) + "'"),
        "roles.toml:4: roles.bio.memory = \"" + std::string(text) + "\": accepted are " + words);
  }
  EXPECT_EQ(mistake_in_role("memory = 'node:4'"),
            "roles.toml:4: roles.bio.memory = \"node:4\": there is no such node; accepted are "
            "node:N with N in 0-3");
  EXPECT_EQ(mistake_on("restricted_by_cgroup.xml", "memory = 'node:2'"),
            "roles.toml:4: roles.bio.memory = \"node:2\": this process may not allocate on that "
            "node; accepted are node:N with N in 0-1");
  EXPECT_EQ(mistake_on("node_without_memory.xml", "memory = 'node:2'"),
            "roles.toml:4: roles.bio.memory = \"node:2\": that node has no memory; accepted are "
            "node:N with N in 0,3,7");
}

TEST(RoleMistakes, NameSpillOrdersThatCannotBe) {
  EXPECT_EQ(
      mistake_in_role("spill = 'far'"),
      "roles.toml:4: roles.bio.spill = \"far\": accepted are \"nearest\" and a list of \"node:N\"");
  EXPECT_EQ(mistake_in_role("spill = ['node:1', 'node:9']"),
            "roles.toml:4: roles.bio.spill = \"node:9\": there is no such node; accepted are "
            "node:N with N in 0-3");
  EXPECT_EQ(mistake_in_role("spill = ['node:1', 'node:1']"),
            "roles.toml:4: roles.bio.spill = \"node:1\": this node stands here twice; accepted is "
            "each node once");
  EXPECT_EQ(mistake_in_role("memory = 'node:1'\nspill = ['node:1']"),
            "roles.toml:5: roles.bio.spill = [\"node:1\"]: the memory is on node:1 already; "
            "accepted are other nodes");
  EXPECT_EQ(mistake_in_role("memory = 'interleaved'\nspill = 'nearest'"),
            "roles.toml:5: roles.bio.spill = \"nearest\": memory that is spread over all nodes has "
            "none; accepted with memory = \"local\" and \"node:N\"");
}

TEST(RoleMistakes, NameLimitsThatCannotBe) {
  for (const char* value :
       {"0", "-1", "1.5", "'4GB'", "'GiB'", "''", "'4 GiB '", "true", "'99999999999TiB'"}) {
    const std::string text = mistake_in_role("hard_limit = " + std::string(value));
    EXPECT_NE(text.find("accepted are bytes above 0 as a whole number, e.g. 4294967296, "
                        "\"4096MiB\" or \"4GiB\""),
              std::string::npos)
        << value << ": " << text;
  }
  EXPECT_EQ(mistake_in_role("soft_limit = '2GiB'\nhard_limit = '1GiB'"),
            "roles.toml:4: roles.bio.soft_limit = \"2GiB\": this is above hard_limit = \"1GiB\"; "
            "accepted is at most that");
  EXPECT_EQ(mistake_in_role("memory = 'weighted'\nhard_limit = '1GiB'"),
            "roles.toml:5: roles.bio.hard_limit = \"1GiB\": memory that is spread over all nodes "
            "has none; accepted with memory = \"local\" and \"node:N\"");
}

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

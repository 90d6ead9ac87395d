// Mistakes in a roles file: each names file, line, key, value and what is accepted.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "role_plans.hpp"

namespace numaheap::numa {
namespace {

using tests::kData;
using tests::kFourNodes;
using tests::messages;

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

}  // namespace
}  // namespace numaheap::numa

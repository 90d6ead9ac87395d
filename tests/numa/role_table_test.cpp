#include "numaheap/numa/role_table.hpp"

#include <fnmatch.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <memory>
#include <random>
#include <string>

#include "numaheap/numa/topology.hpp"
#include "stress.hpp"

namespace numaheap::numa {
namespace {

/// What parse() says, or "accepted".
std::string parsed(RoleTable& table, const std::string& text) {
  const Status status = table.parse(text);
  return status ? "accepted" : status.error().text;
}

struct Parsed {
  std::unique_ptr<RoleTable> table = std::make_unique<RoleTable>();
  std::string result;
  explicit Parsed(const std::string& text) : result(parsed(*table, text)) {}
};

TEST(RoleTable, ReadsWhatItsHeaderShows) {
  const Parsed roles("1;default|||local:0-1|nearest|0|0;bio|bio_*,lazy*|4-7|node:1|0|0|1073741824");
  ASSERT_EQ(roles.result, "accepted");
  ASSERT_EQ(roles.table->size(), 2u);
  const RoleEntry& everyone = (*roles.table)[0];
  EXPECT_STREQ(everyone.name, "default");
  EXPECT_TRUE(everyone.cpus.empty());
  EXPECT_EQ(everyone.memory, RoleMemory::kLocal);
  EXPECT_EQ(to_list(everyone.nodes), "0-1");
  EXPECT_TRUE(everyone.spill_nearest);
  EXPECT_EQ(everyone.hard_limit, Bytes{0});
  const RoleEntry& bio = (*roles.table)[1];
  EXPECT_EQ(bio.pattern_count, 2u);
  EXPECT_STREQ(bio.patterns[1], "lazy*");
  EXPECT_EQ(to_list(bio.cpus), "4-7");
  EXPECT_EQ(bio.memory, RoleMemory::kNode);
  EXPECT_EQ(to_list(bio.nodes), "1");
  EXPECT_FALSE(bio.spill_nearest);
  ASSERT_EQ(bio.spill_count, 1u);
  EXPECT_EQ(bio.spill[0], NodeId{0});
  EXPECT_EQ(bio.hard_limit, GiB(1));
}

TEST(RoleTable, FindsARoleByNameAndByTheFirstPatternThatMatches) {
  const Parsed roles(
      "1;default|||local:0|nearest|0|0;bio|bio_*|0|local:0|nearest|0|0;"
      "all_b|b*|1|interleaved:0|nearest|0|0;odd|%5B%25%2C%3B%7C|1|weighted:0|nearest|0|0");
  ASSERT_EQ(roles.result, "accepted");
  EXPECT_STREQ(roles.table->match("bio_aof").name, "bio");
  EXPECT_STREQ(roles.table->match("backup").name, "all_b");
  EXPECT_STREQ(roles.table->match("[%,;|").name, "odd") << "an open bracket alone is itself";
  EXPECT_STREQ(roles.table->match("redis-server").name, "default");
  EXPECT_STREQ(roles.table->match("").name, "default");
  EXPECT_EQ(roles.table->find("bio"), &(*roles.table)[1]);
  EXPECT_EQ(roles.table->find("bi"), nullptr);
}

TEST(RoleTable, SaysWhatIsMalformedAndIsEmptyThen) {
  RoleTable& table = *std::make_unique<RoleTable>().release();
  const std::string start = "1;default|||local:0|nearest|0|0";
  ASSERT_EQ(parsed(table, start), "accepted");
  const auto role = [&](const std::string& fields) {
    return parsed(table, start + ";r|" + fields);
  };
  EXPECT_EQ(role("p|0|local:0|nearest|0|0"), "accepted");

  EXPECT_EQ(parsed(table, ""), "the roles are not written in version 1 of their form");
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(parsed(table, "2;default|||local:0|nearest|0|0"),
            "the roles are not written in version 1 of their form");
  EXPECT_EQ(parsed(table, "1"), "there is no role");
  EXPECT_EQ(parsed(table, "1;bio|||local:0|nearest|0|0"), "the first role is not default");
  EXPECT_EQ(parsed(table, "1;default|||local:0|nearest|0"), "a role has fewer than 7 fields");
  EXPECT_EQ(parsed(table, start + ";|||local:0|nearest|0|0"),
            "a role's name is empty or longer than 31 bytes");
  EXPECT_EQ(parsed(table, start + ';' + std::string(32, 'a') + "|||local:0|nearest|0|0"),
            "a role's name is empty or longer than 31 bytes");
  const std::string bad_pattern =
      "a thread-name pattern is empty, longer than 63 bytes or has a bad %XX";
  EXPECT_EQ(role("a,,b|0|local:0|nearest|0|0"), bad_pattern);
  EXPECT_EQ(role("%4|0|local:0|nearest|0|0"), bad_pattern);
  EXPECT_EQ(role("%4g|0|local:0|nearest|0|0"), bad_pattern);
  EXPECT_EQ(role("%00|0|local:0|nearest|0|0"), bad_pattern);
  EXPECT_EQ(role(std::string(64, 'a') + "|0|local:0|nearest|0|0"), bad_pattern);
  std::string many = "a";
  for (int i = 0; i < 16; ++i) many += ",a";
  EXPECT_EQ(role(many + "|0|local:0|nearest|0|0"), "a role has more than 16 thread-name patterns");
  EXPECT_EQ(role("p|0-|local:0|nearest|0|0"), "not a list of CPUs below 8192 such as \"0-3,8\"");
  EXPECT_EQ(role("p|8192|local:0|nearest|0|0"), "not a list of CPUs below 8192 such as \"0-3,8\"");
  EXPECT_EQ(role("p|0|far:0|nearest|0|0"),
            "a role's memory is none of local:, node:, interleaved: and weighted:");
  EXPECT_EQ(role("p|0|local:|nearest|0|0"), "a role's memory names no node");
  EXPECT_EQ(role("p|0|local:1024|nearest|0|0"),
            "not a list of node ids below 1024 such as \"0-3,8\"");
  EXPECT_EQ(role("p|0|node:0-1|nearest|0|0"), "a role's memory on one node names several");
  const std::string bad_spill =
      "a role's spill order is neither \"nearest\" nor node numbers below 1024";
  EXPECT_EQ(role("p|0|local:0||0|0"), bad_spill);
  EXPECT_EQ(role("p|0|local:0|near|0|0"), bad_spill);
  EXPECT_EQ(role("p|0|local:0|1024|0|0"), bad_spill);
  const std::string bad_limits = "a role's limits are not two numbers of bytes at its end";
  EXPECT_EQ(role("p|0|local:0|1||0"), bad_limits);
  EXPECT_EQ(role("p|0|local:0|1|0|"), bad_limits);
  EXPECT_EQ(role("p|0|local:0|1|0|0|0"), bad_limits);
  EXPECT_EQ(role("p|0|local:0|1|0|18446744073709551616"), bad_limits);
  EXPECT_EQ(role("p|0|local:0|1|0|-1"), bad_limits);
  std::string roles = start;
  for (int i = 0; i < 32; ++i) roles += ";r|||local:0|nearest|0|0";
  EXPECT_EQ(parsed(table, roles), "there are more than 32 roles");
  EXPECT_EQ(table.size(), 0u);
  delete &table;
}

TEST(RoleTable, SurvivesAnyText) {
  const std::string good =
      "1;default|||local:0-1|nearest|0|0;bio|bio_*,l[a-z]%2C|4-7|node:1|0,2|5|1073741824;x|y|1|"
      "weighted:1|nearest|0|0";
  const std::string letters = "01;|,-:%[]*node\n";
  std::mt19937 random(1);
  auto table = std::make_unique<RoleTable>();
  for (size_t i = 0; i < tests::repeated(20000); ++i) {
    std::string text = good;
    for (unsigned changes = random() % 4 + 1; changes > 0; --changes) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = letters[random() % letters.size()];
          break;
        case 1:
          text.erase(at, random() % 8);
          break;
        default:
          text.insert(at, 1, letters[random() % letters.size()]);
      }
      if (text.empty()) text = "1";
    }
    const Status status = table->parse(text);
    ASSERT_LE(table->size(), kMaxRoles);
    ASSERT_EQ(status.has_value(), table->size() != 0) << text;
    for (unsigned r = 0; r < table->size(); ++r) {
      ASSERT_LE((*table)[r].pattern_count, kMaxRolePatterns);
      ASSERT_FALSE((*table)[r].nodes.empty()) << text;
    }
    if (!status) continue;
    ASSERT_NE(table->match("bio_x").name[0], 0);
  }
}

TEST(MatchesPattern, AgreesWithFnmatch) {
  std::mt19937 random(7);
  const std::string pattern_letters = "ab*?[]!-\\^c";
  const std::string name_letters = "abc-]!\\";
  int matched = 0;
  for (size_t i = 0; i < tests::repeated(300000); ++i) {
    std::string pattern(random() % 9, ' ');
    for (char& c : pattern) c = pattern_letters[random() % pattern_letters.size()];
    std::string name(random() % 6, ' ');
    for (char& c : name) c = name_letters[random() % name_letters.size()];
    const bool expected = fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
    ASSERT_EQ(matches_pattern(pattern, name), expected) << pattern << " against " << name;
    matched += expected ? 1 : 0;
  }
  EXPECT_GT(matched, 100);
}

TEST(MatchesPattern, TakesNoExponentialTime) {
  EXPECT_FALSE(matches_pattern("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(200, 'a')));
}

TEST(ApplyRole, PinsTheThreadAndTellsItsMemory) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  unsigned cpu = 0;
  while (!CPU_ISSET(cpu, &before)) ++cpu;
  const Parsed roles("1;default|||local:0|nearest|0|0;one||" + std::to_string(cpu) +
                     "|node:0|nearest|0|0");
  ASSERT_EQ(roles.result, "accepted");

  const Result<RolePlacement> placement = apply_role(*roles.table->find("one"));
  ASSERT_TRUE(placement) << placement.error().text;
  EXPECT_EQ(placement->memory, RoleMemory::kNode);
  EXPECT_EQ(placement->node, NodeId{0});
  cpu_set_t now;
  ASSERT_EQ(sched_getaffinity(0, sizeof now, &now), 0);
  EXPECT_EQ(CPU_COUNT(&now), 1);
  EXPECT_TRUE(CPU_ISSET(cpu, &now));

  const Result<RolePlacement> unpinned = apply_role((*roles.table)[0]);
  ASSERT_TRUE(unpinned);
  EXPECT_EQ(unpinned->memory, RoleMemory::kLocal);
  EXPECT_EQ(unpinned->node, kNoNode);
  ASSERT_EQ(sched_getaffinity(0, sizeof now, &now), 0);
  EXPECT_EQ(CPU_COUNT(&now), 1) << "a role without CPUs leaves the thread where it is";
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

TEST(ApplyRole, SaysThatNoneOfTheCpusIsThere) {
  const Parsed roles("1;default||8000-8191|local:0|nearest|0|0");
  ASSERT_EQ(roles.result, "accepted");
  const Result<RolePlacement> placement = apply_role((*roles.table)[0]);
  ASSERT_FALSE(placement);
  EXPECT_EQ(placement.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace numaheap::numa

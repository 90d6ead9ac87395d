#include "numaheap/base/node_id.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace numaheap {
namespace {

std::vector<unsigned> members(const NodeSet& set) {
  std::vector<unsigned> ids;
  for (NodeId n = set.next(NodeId{0}); n != kNoNode; n = set.next(NodeId{n.value + 1}))
    ids.push_back(n.value);
  return ids;
}

TEST(NodeSet, IsEmptyAtFirst) {
  constexpr NodeSet kEmpty;
  EXPECT_TRUE(kEmpty.empty());
  EXPECT_EQ(kEmpty.size(), 0u);
  EXPECT_EQ(kEmpty.next(NodeId{0}), kNoNode);
}

TEST(NodeSet, KeepsIdsWithHolesInOrder) {
  NodeSet set;
  for (unsigned id : {1023u, 0u, 64u, 63u, 8u}) set.insert(NodeId{id});
  EXPECT_EQ(members(set), (std::vector<unsigned>{0, 8, 63, 64, 1023}));
  EXPECT_EQ(set.size(), 5u);
  EXPECT_EQ(set.next(NodeId{9}), NodeId{63});
  EXPECT_EQ(set.next(NodeId{kMaxNodes}), kNoNode);
}

TEST(NodeSet, HasTheLayoutThatMbindTakes) {
  NodeSet set;
  set.insert(NodeId{1});
  set.insert(NodeId{65});
  EXPECT_EQ(set.words()[0], uint64_t{1} << 1);
  EXPECT_EQ(set.words()[1], uint64_t{1} << 1);
}

TEST(NodeSet, DoesNotContainWhatNoNodeCanBe) {
  NodeSet set;
  set.insert(NodeId{0});
  EXPECT_FALSE(set.contains(NodeId{kMaxNodes}));
  EXPECT_FALSE(set.contains(kNoNode));
}

TEST(NodeSet, AgreesWithAStdSetUnderRandomChanges) {
  std::mt19937 random(20240607);  // fixed: a failure repeats
  NodeSet set;
  std::set<unsigned> model;
  for (int i = 0; i < 20'000; ++i) {
    const unsigned id = random() % kMaxNodes;
    if (random() % 2 == 0) {
      set.insert(NodeId{id});
      model.insert(id);
    } else {
      set.erase(NodeId{id});
      model.erase(id);
    }
    ASSERT_EQ(set.contains(NodeId{id}), model.contains(id));
    if (i % 500 == 0) {
      ASSERT_EQ(members(set), std::vector<unsigned>(model.begin(), model.end()));
      ASSERT_EQ(set.size(), model.size());
    }
  }
}

TEST(NodeId, NoNodeIsNoMemberOfTheOrderBelowTheBound) { EXPECT_GT(kNoNode, NodeId{kMaxNodes}); }

}  // namespace
}  // namespace numaheap

// ExtentTree against a model: a std::map of free extents that does everything the slow, plain way.
#include "alloc/extent_tree.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <random>
#include <vector>

#include "numa/child_process.hpp"
#include "stress.hpp"

namespace numaheap::alloc {
namespace {

using tests::in_child;
using tests::repeated;

constexpr size_t kPage = 4096;
constexpr uintptr_t kBase = uintptr_t{3} << 30;
constexpr size_t kPages = 2000;

/// Free extents by start, neighbours merged.
class Model {
 public:
  void insert(Extent extent) {
    auto at = free_.emplace(extent.start, extent.bytes).first;
    if (auto above = std::next(at);
        above != free_.end() && at->first + at->second == above->first) {
      at->second += above->second;
      free_.erase(above);
    }
    if (at == free_.begin()) return;
    if (auto below = std::prev(at); below->first + below->second == at->first) {
      below->second += at->second;
      free_.erase(at);
    }
  }
  Extent take_first_fit(size_t bytes, size_t alignment) {
    const size_t need = bytes + (alignment > kPage ? alignment - kPage : 0);
    for (const auto& [start, size] : free_) {
      if (size < need) continue;
      const uintptr_t from = (start + alignment - 1) / alignment * alignment;
      EXPECT_TRUE(take_at(from, bytes));
      return {from, bytes};
    }
    return {};
  }
  bool take_at(uintptr_t start, size_t bytes) {
    auto at = free_.upper_bound(start);
    if (at == free_.begin()) return false;
    --at;
    const uintptr_t end = at->first + at->second;
    if (start + bytes > end) return false;
    const uintptr_t before = at->first;
    free_.erase(at);
    if (before != start) free_[before] = start - before;
    if (start + bytes != end) free_[start + bytes] = end - (start + bytes);
    return true;
  }
  Extent take_lowest(size_t limit) {
    if (free_.empty()) return {};
    const Extent extent{free_.begin()->first, std::min(free_.begin()->second, limit)};
    EXPECT_TRUE(take_at(extent.start, extent.bytes));
    return extent;
  }
  [[nodiscard]] size_t total_bytes() const {
    size_t total = 0;
    for (const auto& [start, bytes] : free_) total += bytes;
    return total;
  }
  [[nodiscard]] size_t count() const { return free_.size(); }

 private:
  std::map<uintptr_t, size_t> free_;
};

void expect_same(Extent is, Extent expected) {
  ASSERT_EQ(is.bytes, expected.bytes);
  ASSERT_TRUE(is.bytes == 0 || is.start == expected.start);
}

/// The tree's contents are seen only by taking them: empties both, lowest first.
void expect_same_contents(ExtentTree& tree, Model& model, MetaPool& pool) {
  while (model.count() != 0)
    expect_same(tree.take_lowest(~size_t{0}, pool), model.take_lowest(~size_t{0}));
  EXPECT_EQ(tree.take_lowest(~size_t{0}, pool).bytes, 0u);
  EXPECT_EQ(tree.total_bytes(), 0u);
}

TEST(ExtentTree, DoesWhatAnOrderedMapOfFreeExtentsDoes) {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    std::mt19937 random(seed);
    MetaPool pool;
    ExtentTree tree;
    Model model;
    std::vector<bool> is_free(kPages);  // so that only what is taken is given
    const auto note = [&](Extent extent, bool free) {
      for (uintptr_t page = extent.start; page < extent.start + extent.bytes; page += kPage)
        is_free[(page - kBase) / kPage] = free;
    };
    for (size_t i = 0; i < repeated(20000); ++i) {
      const size_t first = random() % kPages;
      const size_t most = seed == 1 ? 3 : 60;  // many small ones, or few long ones
      const size_t bytes = (1 + random() % most) * kPage;
      const uintptr_t start = kBase + first * kPage;
      switch (random() % 5) {
        case 0:
        case 1: {
          size_t pages = 0;
          while (first + pages < kPages && !is_free[first + pages] && pages * kPage < bytes)
            ++pages;
          if (pages == 0) break;
          ASSERT_TRUE(tree.insert({start, pages * kPage}, pool));
          model.insert({start, pages * kPage});
          note({start, pages * kPage}, true);
          break;
        }
        case 2: {
          const size_t alignment = kPage << (random() % 3 == 0 ? random() % 6 : 0);
          const Extent extent = model.take_first_fit(bytes, alignment);
          ASSERT_NO_FATAL_FAILURE(expect_same(tree.take_first_fit(bytes, alignment, pool), extent));
          note(extent, false);
          break;
        }
        case 3: {
          const bool taken = model.take_at(start, bytes);
          ASSERT_EQ(tree.take_at(start, bytes, pool), taken);
          if (taken) note({start, bytes}, false);
          break;
        }
        default: {
          if (random() % 8 != 0) break;
          const Extent extent = model.take_lowest(bytes);
          ASSERT_NO_FATAL_FAILURE(expect_same(tree.take_lowest(bytes, pool), extent));
          note(extent, false);
        }
      }
      ASSERT_EQ(tree.total_bytes(), model.total_bytes());
      tree.check_invariants();
      ASSERT_EQ(pool.in_use(), Bytes{64} * model.count());  // a node for each extent, none lost
    }
    ASSERT_NO_FATAL_FAILURE(expect_same_contents(tree, model, pool));
    EXPECT_EQ(pool.in_use(), Bytes{0});
  }
}

TEST(ExtentTree, MergesWithBothNeighbours) {
  MetaPool pool;
  ExtentTree tree;
  ASSERT_TRUE(tree.insert({kBase, kPage}, pool));
  ASSERT_TRUE(tree.insert({kBase + 2 * kPage, kPage}, pool));
  EXPECT_EQ(tree.take_first_fit(2 * kPage, kPage, pool).bytes, 0u);
  ASSERT_TRUE(tree.insert({kBase + kPage, kPage}, pool));
  EXPECT_EQ(pool.in_use(), Bytes{64});
  expect_same(tree.take_first_fit(3 * kPage, kPage, pool), {kBase, 3 * kPage});
}

TEST(ExtentTree, AnEmptyTreeGivesNothing) {
  MetaPool pool;
  ExtentTree tree;
  EXPECT_EQ(tree.take_first_fit(kPage, kPage, pool).bytes, 0u);
  EXPECT_FALSE(tree.take_at(kBase, kPage, pool));
  EXPECT_EQ(tree.take_lowest(kPage, pool).bytes, 0u);
  tree.check_invariants();
}

TEST(ExtentTree, StaysSearchableWithManyExtents) {
  MetaPool pool;
  ExtentTree tree;
  const size_t count = repeated(200000);
  for (size_t i = 0; i < count; ++i) ASSERT_TRUE(tree.insert({kBase + 2 * i * kPage, kPage}, pool));
  ASSERT_TRUE(tree.insert({kBase + 2 * count * kPage, 7 * kPage}, pool));
  tree.check_invariants();
  expect_same(tree.take_first_fit(7 * kPage, kPage, pool), {kBase + 2 * count * kPage, 7 * kPage});
  for (size_t i = 0; i < count; ++i)
    ASSERT_NO_FATAL_FAILURE(
        expect_same(tree.take_first_fit(kPage, kPage, pool), {kBase + 2 * i * kPage, kPage}));
}

TEST(ExtentTree, IsUnchangedWhereThereIsNoMemoryForANode) {
  // In a child whose kernel gives no more memory; the pool is used up but for n nodes.
  for (int nodes = 0; nodes <= 4; ++nodes) {
    EXPECT_EQ(in_child([nodes] {
                static MetaPool pool;
                static ExtentTree tree;
                void* spare[4] = {};
                for (int i = 0; i < nodes; ++i) spare[i] = pool.allocate(64);
                NH_CHILD_EXPECT(tests::refuse_system_calls({{SYS_mmap, ENOMEM}}));
                while (pool.allocate(64) != nullptr) continue;
                for (int i = 0; i < nodes; ++i) pool.deallocate(spare[i], 64);

                const auto may = [&](int needed) { return nodes >= needed; };
                // A first extent, one apart from it, and one that touches the first and needs no node.
                NH_CHILD_EXPECT(tree.insert({kBase, 8 * kPage}, pool) == may(1));
                NH_CHILD_EXPECT(tree.insert({kBase + 16 * kPage, kPage}, pool) == may(2));
                NH_CHILD_EXPECT(!may(1) || tree.insert({kBase + 8 * kPage, kPage}, pool));
                size_t total = (may(1) ? 9 : 0) + (may(2) ? 1 : 0);
                NH_CHILD_EXPECT(tree.total_bytes() == total * kPage);
                // Out of the middle: two pieces stay, so one node more is needed.
                NH_CHILD_EXPECT(tree.take_at(kBase + kPage, kPage, pool) == may(3));
                total -= may(3);
                NH_CHILD_EXPECT(tree.total_bytes() == total * kPage);
                const Extent aligned =
                    tree.take_first_fit(kPage, 4 * kPage, pool);  // from kBase + 4 pages
                NH_CHILD_EXPECT((aligned.bytes != 0) == (may(4) || (may(1) && !may(3))));
                tree.check_invariants();
                // From the lower end none is needed.
                NH_CHILD_EXPECT((tree.take_lowest(kPage, pool).bytes == kPage) == may(1));
                tree.check_invariants();
              }),
              0)
        << "with " << nodes << " nodes";
  }
}

TEST(ExtentTree, TakesTheEndOrTheStartOfTheExtentThatTouchesAnAddress) {
  MetaPool pool;
  ExtentTree tree;
  ASSERT_TRUE(tree.insert({kBase, 10 * kPage}, pool));
  ASSERT_TRUE(tree.insert({kBase + 20 * kPage, 10 * kPage}, pool));
  // nothing ends or starts there
  EXPECT_EQ(tree.take_ending_at(kBase + 15 * kPage, kBase, pool).bytes, 0u);
  EXPECT_EQ(tree.take_starting_at(kBase + 15 * kPage, kBase + 40 * kPage, pool).bytes, 0u);
  // a part
  Extent taken = tree.take_ending_at(kBase + 10 * kPage, kBase + 7 * kPage, pool);
  EXPECT_EQ(taken.start, kBase + 7 * kPage);
  EXPECT_EQ(taken.bytes, 3 * kPage);
  taken = tree.take_starting_at(kBase + 20 * kPage, kBase + 22 * kPage, pool);
  EXPECT_EQ(taken.start, kBase + 20 * kPage);
  EXPECT_EQ(taken.bytes, 2 * kPage);
  tree.check_invariants();
  // all there is, where more is asked for
  EXPECT_EQ(tree.take_ending_at(kBase + 7 * kPage, kBase - 5 * kPage, pool).bytes, 7 * kPage);
  EXPECT_EQ(tree.take_starting_at(kBase + 22 * kPage, kBase + 99 * kPage, pool).bytes, 8 * kPage);
  EXPECT_EQ(tree.total_bytes(), 0u);
  tree.check_invariants();
}

TEST(ExtentTree, ListsItsExtentsByWhereTheyEnd) {
  MetaPool pool;
  ExtentTree tree;
  EXPECT_EQ(tree.first_after(0).bytes, 0u);
  for (size_t i = 0; i < 100; ++i)
    ASSERT_TRUE(tree.insert({kBase + 3 * i * kPage, 2 * kPage}, pool));
  uintptr_t from = kBase - kPage;
  for (size_t i = 0; i < 100; ++i) {
    const Extent extent = tree.first_after(from);
    expect_same(extent, {kBase + 3 * i * kPage, 2 * kPage});
    expect_same(tree.first_after(extent.start + kPage), extent);  // from within, too
    from = extent.start + extent.bytes;
  }
  EXPECT_EQ(tree.first_after(from).bytes, 0u);
}

}  // namespace
}  // namespace numaheap::alloc

// Moving pages between nodes: labelled numa.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "node_ranges.hpp"
#include "numaheap/numa/own_traffic.hpp"
#include "numaheap/numa/residency.hpp"

namespace numaheap::numa {
namespace {

using tests::free_bytes;
using tests::pages_by_node;

TEST(Migrate, MovesPagesToAnyNodeWithTheirContents) {
  NH_NEEDS_NODES(2);
  auto ranges = std::make_unique<NodeRanges>();
  ASSERT_TRUE(ranges->reserved());
  constexpr size_t kPages = 700;  // more than a batch
  char* start = ranges->open_in_small_pages(0, MiB(64));
  ASSERT_NE(start, nullptr);
  for (size_t page = 0; page < kPages; ++page)
    start[page * kPage + 9] = static_cast<char>(page % 251);
  NodeId from = ranges->nodes()[0];
  for (size_t i = ranges->nodes().size(); i-- > 0;) {
    const NodeId to = ranges->nodes()[i];
    const uint64_t read_before = own_traffic(from);
    const uint64_t written_before = own_traffic(to);
    const Result<Migration> done = migrate(start, Bytes{(kPages + 5) * kPage}, to);
    ASSERT_TRUE(done);
    EXPECT_EQ(own_traffic(from) - read_before, done->moved.value);
    EXPECT_EQ(own_traffic(to) - written_before, done->moved.value);
    EXPECT_EQ(done->moved, Bytes{from == to ? 0 : kPages * kPage});
    EXPECT_EQ(done->there_before, Bytes{from == to ? kPages * kPage : 0});
    EXPECT_EQ(done->left_behind, Bytes{0});
    EXPECT_EQ(done->absent, Bytes{5 * kPage});
    EXPECT_EQ(pages_by_node(start, kPages * kPage)[to], kPages);
    from = to;
  }
  for (size_t page = 0; page < kPages; ++page)
    EXPECT_EQ(start[page * kPage + 9], static_cast<char>(page % 251));
}

TEST(Migrate, MovesHugePagesWhole) {
  NH_NEEDS_NODES(2);
  auto ranges = std::make_unique<NodeRanges>();
  ASSERT_TRUE(ranges->reserved());
  ASSERT_TRUE(ranges->open(0, MiB(64)));
  if (!ranges->advise_huge_pages(ranges->range_start(0), MiB(4), true)) NH_SKIP("no huge pages");
  char* start = reinterpret_cast<char*>(ranges->range_start(0));
  memset(start, 1, MiB(4).value);
  const NodeId to = ranges->nodes().back();
  const Result<Migration> done = migrate(start, MiB(4), to);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->moved, MiB(4));
  EXPECT_EQ(pages_by_node(start, MiB(4).value)[to], MiB(4).value / kPage);
}

TEST(Migrate, LeavesBehindWhatDoesNotFit) {
  NH_NEEDS_NODES(2);
  NH_NEEDS_VM();
  auto ranges = std::make_unique<NodeRanges>();
  ASSERT_TRUE(ranges->reserved());
  const auto last = static_cast<unsigned>(ranges->nodes().size()) - 1;
  const NodeId full = ranges->nodes()[last];
  // Fills the node with a child's pages to within some MiB, and migrates more than those there.
  char* start = ranges->open_in_small_pages(0, MiB(64));
  ASSERT_NE(start, nullptr);
  memset(start, 1, MiB(48).value);
  const size_t filler = free_bytes(full) - MiB(24).value;
  ASSERT_TRUE(ranges->open(last, Bytes{filler}));
  char* fill = reinterpret_cast<char*>(ranges->range_start(last));
  for (size_t at = 0; at < filler; at += kPage) fill[at] = 1;
  const Result<Migration> done = migrate(start, MiB(48), full);
  ASSERT_TRUE(done);
  EXPECT_GT(done->left_behind, Bytes{0});
  EXPECT_EQ(done->moved + done->left_behind, MiB(48));
  auto pages = pages_by_node(start, MiB(48).value);
  EXPECT_EQ(pages[full] * kPage, done->moved.value);
  EXPECT_EQ(start[MiB(47).value], 1);
}

}  // namespace
}  // namespace numaheap::numa

#include "numaheap/numa/residency.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "child_process.hpp"
#include "numaheap/numa/machine.hpp"
#include "pages.hpp"

namespace numaheap::numa {
namespace {

using tests::kPage;
using tests::Pages;

TEST(ResidentNode, IsANodeWithMemoryForAPageThatWasTouched) {
  Pages pages(1);
  pages[0][100] = 1;
  errno = 33;
  const Result<NodeId> node = resident_node(pages[0] + 4095);
  EXPECT_EQ(errno, 33);
  ASSERT_TRUE(node);
  EXPECT_TRUE(read_machine().with_memory.contains(*node));
}

TEST(ResidentNode, IsNotFoundWhereThereIsNoPage) {
  Pages pages(3);
  ASSERT_EQ(munmap(pages[2], kPage), 0);
  pages[0][0] = 1;
  ASSERT_EQ(madvise(pages[0], kPage, MADV_DONTNEED), 0);
  for (const void* address : {static_cast<void*>(pages[0]), static_cast<void*>(pages[1]),
                              static_cast<void*>(pages[2]), static_cast<void*>(nullptr)}) {
    errno = 33;
    const Result<NodeId> node = resident_node(address);
    EXPECT_EQ(errno, 33);
    ASSERT_FALSE(node);
    EXPECT_EQ(node.error().code, ErrorCode::kNotFound);
  }
}

TEST(ResidentNodes, AnswersForEachOfAnyNumberOfAddresses) {
  for (const size_t count :
       {size_t{0}, size_t{1}, size_t{511}, size_t{512}, size_t{513}, size_t{1500}}) {
    Pages pages(count + 1);
    std::vector<const void*> addresses;
    for (size_t i = 0; i < count; ++i) {
      if (i % 3 != 0) pages[i][i % kPage] = 1;
      addresses.push_back(pages[i] + (i * 7) % kPage);
    }
    std::vector<NodeId> nodes(count, NodeId{4711});
    ASSERT_TRUE(resident_nodes(addresses, nodes));
    for (size_t i = 0; i < count; ++i) {
      if (i % 3 == 0) {
        EXPECT_EQ(nodes[i], kNoNode) << i;
      } else {
        EXPECT_TRUE(read_machine().with_memory.contains(nodes[i])) << i;
      }
    }
  }
}

TEST(Migrate, CountsWhatWasThereAndWhatIsAbsent) {
  constexpr size_t kCount = 1100;
  Pages pages(kCount);
  for (size_t i = 0; i < kCount; i += 2) memset(pages[i], static_cast<int>(i % 251), kPage);
  const Result<NodeId> here = resident_node(pages[0]);
  ASSERT_TRUE(here);
  // Where the machine has one node all pages are on it; where it has more, some may have been moved.
  const Result<Migration> done = migrate(pages[0], Bytes{kCount * kPage - 1}, *here);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->absent, Bytes{kCount / 2 * kPage});
  EXPECT_EQ(done->there_before + done->moved, Bytes{kCount / 2 * kPage});
  EXPECT_EQ(done->left_behind, Bytes{0});
  for (size_t i = 0; i < kCount; i += 2) EXPECT_EQ(pages[i][5], static_cast<char>(i % 251));
}

TEST(Migrate, RefusesANodeThatDoesNotExist) {
  Pages pages(1);
  pages[0][0] = 1;
  for (const NodeId node : {NodeId{kMaxNodes - 1}, NodeId{kMaxNodes}, kNoNode}) {
    const Result<Migration> refused = migrate(pages[0], Bytes{kPage}, node);
    ASSERT_FALSE(refused) << node.value;
    EXPECT_EQ(refused.error().code, ErrorCode::kNotFound) << node.value;
  }
}

TEST(Residency, SaysThatAFilterRefusesIt) {
  EXPECT_EQ(tests::in_child([] {
              Pages pages(1);
              pages[0][0] = 1;
              NH_CHILD_EXPECT(tests::refuse_system_calls({{SYS_move_pages, EPERM}}));
              errno = 33;
              const Result<NodeId> node = resident_node(pages[0]);
              NH_CHILD_EXPECT(!node && node.error().code == ErrorCode::kNotPermitted);
              const void* address = pages[0];
              NodeId answer{};
              NH_CHILD_EXPECT(!resident_nodes({&address, 1}, {&answer, 1}));
              NH_CHILD_EXPECT(!migrate(pages[0], Bytes{kPage}, NodeId{0}));
              NH_CHILD_EXPECT(errno == 33);
            }),
            0);
}

}  // namespace
}  // namespace numaheap::numa

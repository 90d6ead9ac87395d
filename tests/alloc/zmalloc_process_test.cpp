// What zmalloc says of the process, and what it gives back to the kernel and to libc.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "contents.hpp"
#include "numaheap/zmalloc.h"

namespace numaheap {
namespace {

using tests::holds;

TEST(ZmallocProcess, ReadsTheResidentSizeAsTheKernelCountsIt) {
  constexpr size_t kBytes = size_t{64} << 20;
  const size_t before = zmalloc_get_rss();
  ASSERT_GT(before, 0u);
  void* pages = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  ASSERT_NE(pages, MAP_FAILED);
  EXPECT_GT(zmalloc_get_rss() + (4u << 20), before + kBytes);
  munmap(pages, kBytes);
}

TEST(ZmallocProcess, ReadsNumbersOfItsOwnStatusWhateverTheProgramIsCalled) {
  char name[16] = {};
  ASSERT_EQ(prctl(PR_GET_NAME, name), 0);
  ASSERT_EQ(prctl(PR_SET_NAME, "a) S 1 (2"), 0);
  long long parent = 0;
  EXPECT_EQ(get_proc_stat_ll(4, &parent), 1);
  EXPECT_EQ(parent, getppid());
  long long value = -1;
  EXPECT_EQ(get_proc_stat_ll(1, &value), 0);
  EXPECT_EQ(get_proc_stat_ll(3, &value), 0) << "the state is a letter";
  EXPECT_EQ(get_proc_stat_ll(1000, &value), 0);
  EXPECT_EQ(get_proc_stat_ll(-5, &value), 0);
  EXPECT_EQ(value, -1);
  prctl(PR_SET_NAME, name);
}

TEST(ZmallocProcess, SumsAFieldOfTheMappings) {
  const size_t rss = zmalloc_get_smap_bytes_by_field("Rss:", -1);
  if (rss == 0) GTEST_SKIP() << "/proc/self/smaps is not readable here";
  EXPECT_NEAR(static_cast<double>(rss), static_cast<double>(zmalloc_get_rss()), 8 << 20);
  EXPECT_NEAR(static_cast<double>(zmalloc_get_smap_bytes_by_field("Rss:", getpid())),
              static_cast<double>(rss), 1 << 20);
  EXPECT_GT(zmalloc_get_smap_bytes_by_field("Size:", -1), rss) << "not in smaps_rollup";
  EXPECT_EQ(zmalloc_get_smap_bytes_by_field("NoSuchField:", -1), 0u);
  EXPECT_EQ(zmalloc_get_smap_bytes_by_field("Rss:", 0x7fffffff), 0u);
  EXPECT_GT(zmalloc_get_private_dirty(-1), 0u);
}

TEST(ZmallocProcess, KnowsThePhysicalMemory) {
  EXPECT_GE(zmalloc_get_memory_size(), zmalloc_get_rss());
}

TEST(ZmallocProcess, DropsOnlyWholePagesInsideABlock) {
  constexpr size_t kPage = 4096;
  auto* block = static_cast<unsigned char*>(zmalloc_with_flags(16 * kPage, 12));
  std::memset(block, 0xff, 16 * kPage);
  zmadvise_dontneed_range(block + 100, 4 * kPage);
  EXPECT_TRUE(holds(block, kPage, 0xff)) << "the first page is needed in part";
  EXPECT_TRUE(holds(block + kPage, 3 * kPage, 0));
  EXPECT_TRUE(holds(block + 4 * kPage, 12 * kPage, 0xff));
  zmadvise_dontneed(block);
  EXPECT_TRUE(holds(block, 16 * kPage, 0));
  zmadvise_dontneed(nullptr);
  zmadvise_dontneed_range(nullptr, 100);
  zfree(block);

  void* small = zmalloc(100);
  std::memset(small, 0xff, 100);
  zmadvise_dontneed(small);
  EXPECT_TRUE(holds(small, 100, 0xff));
  zfree(small);
}

TEST(ZmallocProcess, LeavesLibcsBlocksToLibc) {
  zlibc_free(std::malloc(100));
  zlibc_free(nullptr);
  zlibc_trim();
}

}  // namespace
}  // namespace numaheap

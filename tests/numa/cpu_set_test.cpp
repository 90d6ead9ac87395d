#include "numaheap/numa/cpu_set.hpp"

#include <gtest/gtest.h>

#include "numaheap/numa/topology.hpp"

namespace numaheap::numa {
namespace {

TEST(CpuSet, IsWrittenAndReadAsTheKernelDoes) {
  for (const char* list : {"0", "0-3,8", "63-64", "0,2,4", "8191", "0-8191"}) {
    const Result<CpuSet> cpus = parse_cpu_list(list);
    ASSERT_TRUE(cpus) << list;
    EXPECT_EQ(to_list(*cpus), list);
  }
  EXPECT_TRUE(parse_cpu_list("")->empty());
  EXPECT_EQ(to_list(*parse_cpu_list("0-6:2\n")), "0,2,4,6");
  for (const char* text : {"8192", "3-1", "a", "1-", "1,,2", "-1"})
    EXPECT_FALSE(parse_cpu_list(text)) << text;
}

TEST(CpuSet, IsCombinedBitByBit) {
  const CpuSet low = *parse_cpu_list("0-7");
  const CpuSet high = *parse_cpu_list("6-100");
  EXPECT_EQ(to_list(low | high), "0-100");
  EXPECT_EQ(to_list(low & high), "6-7");
  EXPECT_EQ(to_list(low - high), "0-5");
  EXPECT_EQ((low | high).size(), 101u);
  EXPECT_TRUE((low & high).is_subset_of(low));
  EXPECT_FALSE(high.is_subset_of(low));
  EXPECT_EQ(low.next(8), CpuSet::kNone);
  EXPECT_EQ(to_list(CpuSet{}), "none");
}

}  // namespace
}  // namespace numaheap::numa

#include "numaheap/base/check.hpp"

#include <gtest/gtest.h>

#include <string>

namespace numaheap {
namespace {

TEST(CheckDeathTest, AFailedCheckSaysWhereAndWhatAndAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const int pages = 3;
  EXPECT_EXIT(NH_CHECK(pages == 4), testing::KilledBySignal(SIGABRT),
              "numaheap: .*check_test.cpp:[0-9]+: check failed: pages == 4");
}

TEST(CheckDeathTest, ATextLongerThanItsBufferIsCut) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::string longer(5000, 'x');
  EXPECT_EXIT(check_failed("a.cpp", 7, longer.c_str()), testing::KilledBySignal(SIGABRT),
              "numaheap: a.cpp:7: check failed: x{400}");
}

TEST(Check, AHeldCheckEvaluatesItsConditionOnce) {
  int evaluated = 0;
  NH_CHECK(++evaluated == 1);
  EXPECT_EQ(evaluated, 1);
}

}  // namespace
}  // namespace numaheap

#include "numaheap/base/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <type_traits>

namespace numaheap {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Error{ErrorCode::kInvalidArgument, EINVAL, "The number must be even."};
  return n / 2;
}

/// Counts how many of it are alive.
struct Counted {
  explicit Counted(int* count) noexcept : alive(count) { ++*alive; }
  Counted(Counted&& other) noexcept : alive(other.alive) { ++*alive; }
  Counted& operator=(Counted&&) = delete;
  ~Counted() { --*alive; }
  int* alive;
};

TEST(Result, HoldsTheValueOrTheError) {
  const Result<int> good = half(8);
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(*good, 4);

  const Result<int> bad = half(7);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(bad.error().system_errno, EINVAL);
  EXPECT_STREQ(bad.error().text, "The number must be even.");
}

TEST(Result, MovesAValueThatCannotBeCopied) {
  Result<std::unique_ptr<int>> first(std::make_unique<int>(7));
  const Result<std::unique_ptr<int>> second(std::move(first));
  EXPECT_EQ(**second, 7);
}

TEST(Result, DestroysItsValueOnceAndNoneIfItHoldsAnError) {
  int alive = 0;
  {
    Result<Counted> first{Counted(&alive)};
    EXPECT_EQ(alive, 1);
    const Result<Counted> second(std::move(first));
    EXPECT_EQ(alive, 2);  // the moved-from one and the new one
  }
  EXPECT_EQ(alive, 0);
  {
    Result<Counted> failed{Error{ErrorCode::kNoMemory, ENOMEM, "No memory."}};
    const Result<Counted> moved(std::move(failed));
    EXPECT_EQ(moved.error().code, ErrorCode::kNoMemory);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Result, StatusIsAResultWithoutAValue) {
  const Status good{Unit{}};
  EXPECT_TRUE(good);
  const Status bad{Error{ErrorCode::kNotPermitted, EPERM, "Refused."}};
  EXPECT_FALSE(bad);
}

TEST(Result, CannotBeCopied) {
  EXPECT_FALSE(std::is_copy_constructible_v<Result<int>>);
  EXPECT_FALSE(std::is_copy_assignable_v<Result<int>>);
}

TEST(ResultDeathTest, TakingWhatIsNotThereAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(static_cast<void>(half(7).value()), testing::KilledBySignal(SIGABRT), "has_value_");
  EXPECT_EXIT(static_cast<void>(half(8).error()), testing::KilledBySignal(SIGABRT), "!has_value_");
}

}  // namespace
}  // namespace numaheap

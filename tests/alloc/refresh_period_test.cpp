#include "alloc/refresh_period.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace numaheap::alloc {
namespace {

using namespace std::chrono_literals;

/// A refresh() that counts.
struct Reader {
  RefreshPeriod period{100ms};
  std::atomic<int> reads{0};
  void refresh(std::chrono::nanoseconds now, bool can = true) {
    period.refresh(now, [&] {
      ++reads;
      return can;
    });
  }
};

TEST(RefreshPeriod, ReadsOnceAPeriod) {
  Reader reader;
  EXPECT_FALSE(reader.period.was_tried());
  EXPECT_EQ(reader.period.age(1h), std::nullopt);
  reader.refresh(1h);
  reader.refresh(1h + 99ms);
  EXPECT_EQ(reader.reads, 1);
  EXPECT_EQ(reader.period.age(1h + 99ms), 99ms);
  reader.refresh(1h + 100ms);
  EXPECT_EQ(reader.reads, 2);
  EXPECT_EQ(reader.period.age(1h + 100ms), 0ns);
  EXPECT_TRUE(reader.period.was_tried());
}

TEST(RefreshPeriod, KeepsTheAgeOfWhatCouldNotBeReadAnew) {
  Reader reader;
  reader.refresh(1h, false);
  EXPECT_TRUE(reader.period.was_tried());
  EXPECT_EQ(reader.period.age(1h), std::nullopt);
  reader.refresh(2h);
  reader.refresh(3h, false);
  EXPECT_EQ(reader.period.age(4h), 2h);
}

TEST(RefreshPeriod, IsNeverNegativeForAReaderWhoseClockIsBehind) {
  Reader reader;
  reader.refresh(1h);
  EXPECT_EQ(reader.period.age(1h - 1ms), 0ns);
}

TEST(RefreshPeriod, ElectsOneOfManyThreads) {
  Reader reader;
  for (int round = 1; round <= 100; ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { reader.refresh(round * 1h); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(reader.reads, round);
  }
}

TEST(RefreshPeriod, HasAClockThatRuns) {
  const auto before = RefreshPeriod::clock();
  EXPECT_GT(before, 0ns);
  EXPECT_GE(RefreshPeriod::clock(), before);
}

}  // namespace
}  // namespace numaheap::alloc

#include "numaheap/stats/counter.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "stress.hpp"

namespace numaheap::stats {
namespace {

TEST(Counter, AddsSubtractsAndSets) {
  Counter counter;
  counter.add(10);
  counter.subtract(3);
  EXPECT_EQ(counter.value(), 7u);
  counter.set(1);
  EXPECT_EQ(counter.value(), 1u);
}

TEST(Counter, ADifferenceOfWrappedTotalsIsRight) {
  Counter filled;
  Counter given_back;
  filled.set(~uint64_t{0} - 5);
  given_back.set(~uint64_t{0} - 9);
  filled.add(20);
  EXPECT_EQ(filled.value() - given_back.value(), 24u);
}

TEST(Counter, TakesNoMoreThanItsValue) {
  EXPECT_EQ(sizeof(Counter), sizeof(uint64_t));
  EXPECT_EQ(sizeof(SharedCounter), sizeof(uint64_t));
}

TEST(Counter, ReadersSeeItOnlyGrowAndItsLastValue) {
  const uint64_t additions = tests::repeated(200'000);
  Counter counter;
  std::atomic<bool> shrank{false};
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&] {
      for (uint64_t last = 0; last < additions;) {
        const uint64_t now = counter.value();
        if (now < last) shrank = true;
        last = now;
      }
    });
  }
  for (uint64_t i = 0; i < additions; ++i) counter.add(1);
  for (std::thread& reader : readers) reader.join();
  EXPECT_FALSE(shrank);
  EXPECT_EQ(counter.value(), additions);
}

TEST(Counter, GivenBackReadFirstIsNeverMoreThanFilled) {
  // A block is filled by one thread, handed over, and given back by another: `handed` is the hand-over.
  const uint64_t blocks = tests::repeated(100'000);
  struct alignas(kNoSharing) Totals {
    Counter filled;
    Counter given_back;
  };
  std::array<Totals, 2> threads;
  std::atomic<uint64_t> handed{0};
  std::thread producer([&] {
    for (uint64_t i = 1; i <= blocks; ++i) {
      threads[0].filled.add(64);
      handed.store(i, std::memory_order_release);
    }
  });
  std::thread consumer([&] {
    for (uint64_t done = 0; done < blocks;) {
      const uint64_t ready = handed.load(std::memory_order_acquire);
      threads[1].given_back.add((ready - done) * 64);
      done = ready;
    }
  });
  uint64_t negative = 0;
  for (uint64_t given_back = 0; given_back < blocks * 64;) {
    given_back = threads[0].given_back.value() + threads[1].given_back.value();
    const uint64_t filled = threads[0].filled.value() + threads[1].filled.value();
    if (filled < given_back) ++negative;
  }
  producer.join();
  consumer.join();
  EXPECT_EQ(negative, 0u);
}

TEST(SharedCounter, LosesNoAdditionOfManyThreads) {
  constexpr uint64_t kThreads = 8;
  const uint64_t rounds = tests::repeated(20'000);
  SharedCounter counter;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < rounds; ++i) {
        counter.add(3);
        counter.subtract(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), kThreads * rounds * 2);
}

TEST(SharedCounter, AnswersTheTotalAfterTheChange) {
  SharedCounter counter;
  EXPECT_EQ(counter.add(5), 5u);
  EXPECT_EQ(counter.add(5), 10u);
  EXPECT_EQ(counter.subtract(4), 6u);
}

}  // namespace
}  // namespace numaheap::stats

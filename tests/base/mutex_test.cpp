#include "numaheap/base/mutex.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "stress.hpp"

namespace numaheap {
namespace {

bool can_be_taken(Mutex& mutex) {
  if (!mutex.try_lock()) return false;
  mutex.unlock();
  return true;
}

TEST(Mutex, IsInitialisedBeforeConstructors) {
  static constinit Mutex mutex;
  MutexLock lock(mutex);
  EXPECT_FALSE(can_be_taken(mutex));
}

TEST(Mutex, IsFreeAgainAfterItsScope) {
  Mutex mutex;
  { MutexLock lock(mutex); }
  EXPECT_TRUE(can_be_taken(mutex));
}

TEST(Mutex, KeepsThreadsApart) {
  // Two plain integers that differ only while a thread is inside: TSan sees a missing order, the
  // test a missing lock.
  struct {
    Mutex mutex;
    uint64_t first NH_GUARDED_BY(mutex) = 0;
    uint64_t second NH_GUARDED_BY(mutex) = 0;
  } shared;
  constexpr int kThreads = 8;
  const uint64_t rounds = tests::repeated(20'000);
  std::atomic<int> torn{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < rounds; ++i) {
        MutexLock lock(shared.mutex);
        if (shared.first != shared.second) torn.fetch_add(1);
        ++shared.first;
        ++shared.second;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(shared.mutex);
  EXPECT_EQ(torn.load(), 0);
  EXPECT_EQ(shared.first, kThreads * rounds);
}

TEST(Mutex, WakesASleepingWaiter) {
  // The holder gives the lock up only when the waiters have had time to fall asleep in the kernel:
  // each round has one of them wait through thousands of yields. A lost wake-up hangs the test.
  Mutex mutex;
  std::atomic<int> entered{0};
  for (int round = 0; round < 20; ++round) {
    entered = 0;
    mutex.lock();
    std::array<std::thread, 3> waiters;
    for (std::thread& waiter : waiters) {
      waiter = std::thread([&] {
        MutexLock lock(mutex);
        entered.fetch_add(1);
      });
    }
    for (int i = 0; i < 2000; ++i) std::this_thread::yield();
    EXPECT_EQ(entered.load(), 0);
    mutex.unlock();
    for (std::thread& waiter : waiters) waiter.join();
    EXPECT_EQ(entered.load(), 3);
  }
}

TEST(Mutex, TryLockNeverWaits) {
  Mutex mutex;
  MutexLock lock(mutex);
  bool taken = true;
  std::thread([&] { taken = can_be_taken(mutex); }).join();
  EXPECT_FALSE(taken);
}

void lock_and_forget(Mutex& mutex) NH_NO_THREAD_SAFETY_ANALYSIS { mutex.lock(); }

TEST(Mutex, IsFreeAfterItsResetInAChild) {
  Mutex mutex;
  lock_and_forget(mutex);  // as a sibling of the forking thread would hold it
  mutex.reset_after_fork();
  EXPECT_TRUE(can_be_taken(mutex));
}

}  // namespace
}  // namespace numaheap

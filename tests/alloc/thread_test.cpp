// Threads that come and go: what they cached goes back, their states serve the next ones, and whatever still runs at a
// thread's end may allocate.
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <barrier>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "alloc/slow_path.hpp"
#include "books.hpp"
#include "numaheap/alloc.hpp"
#include "skip.hpp"
#include "stress.hpp"

namespace numaheap {
namespace {

using tests::live;
using tests::repeated;
using tests::statistics;

/// Blocks of all tiers, allocated and freed, so that the thread's caches hold some of each.
void fill_caches() {
  std::vector<void*> blocks;
  for (size_t size = 8; size <= MiB(1).value; size += size / 2 + 8) {
    for (size_t i = 0; i < 1 + 4096 / size; ++i) blocks.push_back(allocate(size));
  }
  for (void* block : blocks) {
    ASSERT_NE(block, nullptr);
    deallocate(block);
  }
}

void in_thread(const std::function<void()>& body) { std::thread(body).join(); }

TEST(Thread, GivesBackAllThatItCachedWhenItEnds) {
  trim();
  const Statistics before = statistics();
  in_thread([&] {
    fill_caches();
    const Statistics during = statistics();
    EXPECT_EQ(during.threads, before.threads + 1);
    EXPECT_GT(during.thread_cached, before.thread_cached + KiB(512));
    EXPECT_EQ(during.live, before.live);
  });
  const Statistics after = statistics();
  EXPECT_EQ(after.threads, before.threads);
  EXPECT_EQ(after.thread_cached, before.thread_cached);
  EXPECT_EQ(after.live, before.live);
}

TEST(Thread, DoesTheSameWhenItEndsByPthreadExit) {
  const Statistics before = statistics();
  pthread_t thread;
  const auto body = [](void*) -> void* {
    fill_caches();
    pthread_exit(nullptr);
  };
  ASSERT_EQ(pthread_create(&thread, nullptr, body, nullptr), 0);
  pthread_join(thread, nullptr);
  EXPECT_EQ(statistics().threads, before.threads);
  EXPECT_EQ(statistics().thread_cached, before.thread_cached);
}

TEST(Thread, BlocksOutliveTheThreadThatAllocatedThem) {
  const Bytes before = live();
  std::vector<char*> blocks(10000);
  in_thread([&] {
    for (char*& block : blocks) block = static_cast<char*>(memset(allocate(100), 'x', 100));
  });
  for (char* block : blocks) {
    ASSERT_EQ(std::count(block, block + 100, 'x'), 100);
    deallocate(block);
  }
  EXPECT_EQ(live(), before);
}

TEST(Thread, MayFreeWithoutEverHavingAllocated) {
  const Bytes before = live();
  std::vector<void*> blocks(5000);
  for (void*& block : blocks) block = allocate(300);
  in_thread([&] { deallocate_batch(blocks); });
  EXPECT_EQ(live(), before);
}

TEST(Thread, TenThousandShortOnesLeaveNothingBehind) {
  const auto body = [] {
    void* blocks[50];
    for (size_t i = 0; i < std::size(blocks); ++i) blocks[i] = allocate(20 * i);
    for (void* block : blocks) deallocate(block);
  };
  for (int i = 0; i < 3; ++i) in_thread(body);
  const Statistics before = statistics();
  for (size_t i = 0; i < repeated(10000); ++i) in_thread(body);
  const Statistics after = statistics();
  EXPECT_EQ(after.live, before.live);
  EXPECT_EQ(after.threads, before.threads);
  EXPECT_EQ(after.thread_cached, before.thread_cached);
  EXPECT_LT(after.metadata, before.metadata + KiB(256));  // each took over the state of the last
}

TEST(Thread, ManyAtOnceHaveTheirCachesAndTheNextAsManyTakeThemOver) {
  const auto count = static_cast<unsigned>(repeated(1000) < 1000 ? 125 : 1000);
  const Statistics before = statistics();
  Bytes metadata;
  for (int round = 0; round < 3; ++round) {
    struct Shared {
      std::barrier<> all;
      Statistics during;
    } shared{std::barrier<>(count), {}};
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, size_t{256} << 10);
    std::vector<pthread_t> threads(count);
    for (pthread_t& thread : threads) {
      const auto body = [](void* argument) -> void* {
        auto& with = *static_cast<Shared*>(argument);
        void* blocks[20];
        for (size_t i = 0; i < 20; ++i) blocks[i] = allocate(16 << i / 2);
        with.all.arrive_and_wait();
        for (void* block : blocks) deallocate(block);
        return nullptr;
      };
      ASSERT_EQ(pthread_create(&thread, &attributes, body, &shared), 0);
    }
    for (pthread_t thread : threads) pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
    const Statistics after = statistics();
    EXPECT_EQ(after.live, before.live);
    EXPECT_EQ(after.threads, before.threads);
    EXPECT_EQ(after.thread_cached, before.thread_cached);
    if (round == 0) metadata = after.metadata;
    EXPECT_LT(after.metadata, metadata + KiB(256));  // some chunks of magazines at most
  }
}

// --- what still runs at a thread's end ---

void allocate_and_free_some() {
  for (size_t size : {8u, 100u, 5000u, 40000u, 5u << 20}) {
    void* block = allocate(size);
    ASSERT_NE(block, nullptr);
    memset(block, 1, size);
    block = reallocate(block, size + size / 2);
    ASSERT_NE(block, nullptr);
    deallocate(block);
  }
}

struct KeyValue {
  pthread_key_t key;
  int rounds;
  void* block;
};

constexpr int kRounds = PTHREAD_DESTRUCTOR_ITERATIONS;  ///< The most that a thread gets.

/// Comes back for as many rounds of destructors as it is told.
void key_ends(void* value) {
  auto* mine = static_cast<KeyValue*>(value);
  allocate_and_free_some();
  deallocate(mine->block);
  mine->block = allocate(1000);
  if (--mine->rounds > 0) {
    pthread_setspecific(mine->key, mine);
  } else {
    deallocate(mine->block);
  }
}

pthread_key_t make_key() {
  pthread_key_t key;
  NH_CHECK(pthread_key_create(&key, key_ends) == 0);
  return key;
}

/// The first allocations of all in its thread, in the given round of destructors.
void key_allocates_last(void* value) {
  auto* mine = static_cast<KeyValue*>(value);
  if (--mine->rounds > 0) {
    pthread_setspecific(mine->key, mine);
  } else {
    allocate_and_free_some();
  }
}

/// Made before the heap's own key, and after it: destructors run in this order.
const pthread_key_t early_key = make_key();
pthread_key_t late_key() {
  deallocate(allocate(1));
  static const pthread_key_t key = make_key();
  return key;
}

TEST(Thread, KeyDestructorsMayAllocateInEveryRound) {
  if (NH_THREAD_SANITIZER) NH_SKIP("ThreadSanitizer forgets a thread before its last destructors");
  const pthread_key_t late = late_key();
  const Statistics before = statistics();
  KeyValue values[2] = {{early_key, kRounds, nullptr}, {late, kRounds, nullptr}};
  in_thread([&] {
    fill_caches();
    for (KeyValue& value : values) {
      value.block = allocate(1000);
      pthread_setspecific(value.key, &value);
    }
  });
  EXPECT_EQ(values[0].rounds, 0);
  EXPECT_EQ(values[1].rounds, 0);
  const Statistics after = statistics();
  EXPECT_EQ(after.live, before.live);
  EXPECT_EQ(after.threads, before.threads);
  EXPECT_EQ(after.thread_cached, before.thread_cached);
}

TEST(Thread, KeyDestructorsMayBeTheFirstToAllocate) {
  if (NH_THREAD_SANITIZER) NH_SKIP("ThreadSanitizer forgets a thread before its last destructors");
  const pthread_key_t late = late_key();  // allocates on this thread
  const Statistics before = statistics();
  KeyValue values[2] = {{early_key, 1, nullptr}, {late, 1, nullptr}};
  in_thread([&] {
    for (KeyValue& value : values) pthread_setspecific(value.key, &value);
  });
  EXPECT_EQ(statistics().live, before.live);
  EXPECT_EQ(statistics().threads, before.threads);
  EXPECT_EQ(statistics().thread_cached, before.thread_cached);
}

TEST(Thread, KeyDestructorsMayBeTheFirstToAllocateInALaterRound) {
  if (NH_THREAD_SANITIZER) NH_SKIP("ThreadSanitizer forgets a thread before its last destructors");
  deallocate(allocate(1));
  const Statistics before = statistics();
  KeyValue value{0, 0, nullptr};
  ASSERT_EQ(pthread_key_create(&value.key, key_allocates_last), 0);
  for (int round = 1; round < kRounds; ++round) {
    for (int thread = 0; thread < 10; ++thread) {
      value.rounds = round;
      in_thread([&] { pthread_setspecific(value.key, &value); });
      EXPECT_EQ(value.rounds, 0);
    }
  }
  pthread_key_delete(value.key);
  EXPECT_EQ(statistics().live, before.live);
  EXPECT_EQ(statistics().threads, before.threads);
  EXPECT_EQ(statistics().thread_cached, before.thread_cached);
}

TEST(Thread, ZeroedBlocksAreZeroedAndAlignedOnesAlignedInTheLastRound) {
  struct Result {
    pthread_key_t key;
    int rounds = kRounds;
    bool zeroed = true;
    bool aligned = true;
  } result;
  const auto check = [](void* value) {
    auto* mine = static_cast<Result*>(value);
    for (size_t size : {8u, 100u, 5000u, 40000u, 5u << 20}) {
      auto* dirty = static_cast<char*>(allocate(size));
      if (dirty != nullptr) memset(dirty, 'x', size);
      deallocate(dirty);
      auto* block = static_cast<char*>(allocate_zeroed(size));
      mine->zeroed = mine->zeroed && block != nullptr &&
                     static_cast<size_t>(std::count(block, block + size, '\0')) == size;
      deallocate(block);
      for (size_t alignment = 16; alignment <= MiB(4).value; alignment *= 8) {
        void* at = allocate_aligned(alignment, size);
        mine->aligned = mine->aligned && at != nullptr && owns(at) &&
                        reinterpret_cast<uintptr_t>(at) % alignment == 0;
        deallocate(at);
      }
    }
    if (--mine->rounds > 0) pthread_setspecific(mine->key, mine);
  };
  if (NH_THREAD_SANITIZER) NH_SKIP("ThreadSanitizer forgets a thread before its last destructors");
  const Bytes before = live();
  ASSERT_EQ(pthread_key_create(&result.key, check), 0);
  in_thread([&] {
    fill_caches();
    pthread_setspecific(result.key, &result);
  });
  pthread_key_delete(result.key);
  EXPECT_EQ(result.rounds, 0);
  EXPECT_TRUE(result.zeroed);
  EXPECT_TRUE(result.aligned);
  EXPECT_EQ(live(), before);
}

struct Owner {
  void* block = allocate(5000);
  ~Owner() {
    allocate_and_free_some();
    deallocate(block);
  }
};

TEST(Thread, ThreadLocalObjectsMayAllocateInTheirDestructors) {
  const Statistics before = statistics();
  in_thread([] {
    thread_local Owner owner;
    fill_caches();
    ASSERT_NE(owner.block, nullptr);
  });
  EXPECT_EQ(statistics().live, before.live);
  EXPECT_EQ(statistics().thread_cached, before.thread_cached);
}

TEST(Thread, OneThatIsPastItsEndKeepsNothingCached) {
  // What the heap lends it there goes back with each call.
  struct Result {
    pthread_key_t key = late_key();
    int rounds = 2;
    bool exited = false;
    Bytes cached{~size_t{0}};
  } result;
  static pthread_key_t key;
  ASSERT_EQ(pthread_key_create(&key,
                               [](void* value) {
                                 auto* mine = static_cast<Result*>(value);
                                 if (--mine->rounds > 0) {
                                   pthread_setspecific(
                                       key, mine);  // once more, after the heap's destructor ran
                                   return;
                                 }
                                 for (int i = 0; i < 100; ++i) deallocate(allocate(64));
                                 mine->exited = alloc::t_locals.exited;
                                 mine->cached = statistics().thread_cached;
                               }),
            0);
  trim();
  const Bytes before = statistics().thread_cached;
  in_thread([&] {
    fill_caches();
    pthread_setspecific(key, &result);
  });
  pthread_key_delete(key);
  EXPECT_TRUE(result.exited);
  EXPECT_EQ(result.cached, before);
}

}  // namespace
}  // namespace numaheap

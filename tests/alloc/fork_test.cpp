// fork(2) in a program with many threads and full caches, while its siblings allocate: both sides go on.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "books.hpp"
#include "numa/child_process.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/report.hpp"
#include "stress.hpp"

namespace numaheap {
namespace {

using tests::repeated;
using tests::statistics;

constexpr unsigned kChildSeconds = 60;  // a child that hangs is ended, and the test fails

/// Allocates and frees through all tiers. Uses nothing but the heap under test and its own arrays.
class Churn {
 public:
  explicit Churn(unsigned seed) : random_(seed) {}
  ~Churn() {
    for (auto& slot : slots_) deallocate(slot);
  }
  Churn(const Churn&) = delete;
  Churn& operator=(const Churn&) = delete;

  void step() {
    auto& slot = slots_[random_() % slots_.size()];
    const unsigned what = random_() % 64;
    const size_t size = what == 0   ? random_() % (6u << 20)
                        : what < 6  ? random_() % (200u << 10)
                        : what < 20 ? random_() % 8192
                                    : random_() % 512;
    if (what % 4 == 3 && slot != nullptr) {
      if (void* moved = reallocate(slot, size)) slot = static_cast<unsigned char*>(moved);
    } else {
      deallocate(slot);
      slot = static_cast<unsigned char*>(allocate(size));
    }
    if (slot != nullptr && size != 0) *slot = 1;
    if (random_() % 512 == 0) trim();
    if (random_() % 512 == 0) purge(KiB(64));
    // Hands a block to another thread, by way of which blocks travel between caches.
    slot = g_travelling[random_() % g_travelling.size()].exchange(slot, std::memory_order_acq_rel);
  }
  void steps(size_t count) {
    for (size_t i = 0; i < count; ++i) step();
  }

  static void free_travelling() {
    for (auto& slot : g_travelling) deallocate(slot.exchange(nullptr, std::memory_order_acq_rel));
  }

 private:
  static inline std::array<std::atomic<unsigned char*>, 64> g_travelling{};

  std::minstd_rand random_;
  std::array<unsigned char*, 100> slots_{};
};

/// Threads that allocate and free until the end of a scope.
class Siblings {
 public:
  explicit Siblings(unsigned count) {
    for (unsigned id = 1; id <= count; ++id) {
      threads_.emplace_back([this, id] {
        Churn churn(id);
        while (!done_.load(std::memory_order_relaxed)) churn.steps(16);
      });
    }
  }
  ~Siblings() {
    done_ = true;
    for (std::thread& thread : threads_) thread.join();
    Churn::free_travelling();
  }
  Siblings(const Siblings&) = delete;
  Siblings& operator=(const Siblings&) = delete;

 private:
  std::atomic<bool> done_{false};
  std::vector<std::thread> threads_;
};

/// \returns the child's exit status, or minus the signal that ended it.
template <class Body>
int forked(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(kChildSeconds);
    body();
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -1000;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/// What the books of a child must say, whatever its siblings were doing: it has one thread.
void expect_sane_books() {
  const Statistics now = statistics();
  NH_CHILD_EXPECT(now.threads == 1);
  NH_CHILD_EXPECT(now.live < GiB(4));
  NH_CHILD_EXPECT(now.thread_cached < GiB(4));
  NH_CHILD_EXPECT(now.node_cached < GiB(4));
  NH_CHILD_EXPECT(now.extents < GiB(4));
  std::array<ThreadStatistics, 64> rows;
  NH_CHILD_EXPECT(read_thread_statistics(rows) == 1);
  NH_CHILD_EXPECT(rows[0].thread_id == gettid());
}

TEST(Fork, ChildAndParentGoOnWhileSiblingsWereAllocating) {
  const Siblings siblings(3);
  Churn churn(99);
  std::vector<char*> mine(500);
  for (char*& block : mine) block = static_cast<char*>(memset(allocate(64), 'm', 64));
  for (size_t i = 0; i < repeated(150); ++i) {
    churn.steps(200);
    const int status = forked([&] {
      expect_sane_books();
      for (char* block : mine) {
        NH_CHILD_EXPECT(std::count(block, block + 64, 'm') == 64);
        deallocate(block);
      }
      churn.steps(300);
      void* large = allocate(size_t{20} << 20);
      NH_CHILD_EXPECT(large != nullptr);
      memset(large, 1, size_t{1} << 20);
      deallocate(large);
      purge(MiB(1));
      trim();
      expect_sane_books();
    });
    ASSERT_EQ(status, 0) << "child " << i;
  }
  for (char* block : mine) deallocate(block);
}

#if !NH_THREAD_SANITIZER  // lets the child of a program with threads start none
TEST(Fork, ThreadsOfTheChildTakeOverWhatSiblingsLeft) {
  const Siblings siblings(3);
  for (size_t i = 0; i < repeated(50); ++i) {
    const int status = forked([] {
      for (int round = 0; round < 2; ++round) {
        std::array<std::thread, 6> threads;
        for (std::thread& thread : threads) thread = std::thread([] { Churn(7).steps(200); });
        for (std::thread& thread : threads) thread.join();
      }
      expect_sane_books();
    });
    ASSERT_EQ(status, 0) << "child " << i;
  }
}
#endif

TEST(Fork, AChildMayForkAgain) {
  const Siblings siblings(3);
  for (size_t i = 0; i < repeated(30); ++i) {
    const int status = forked([] {
      Churn churn(3);
      churn.steps(100);
      for (int generation = 0; generation < 2; ++generation) {
        const int grandchild = forked([&] {
          churn.steps(100);
          expect_sane_books();
        });
        NH_CHILD_EXPECT(grandchild == 0);
      }
      churn.steps(100);
      expect_sane_books();
    });
    ASSERT_EQ(status, 0) << "child " << i;
  }
}

TEST(Fork, WhatAQuietParentHoldsIsExactInTheChild) {
  const Bytes before = statistics().live;
  std::vector<void*> blocks(1000);
  for (void*& block : blocks) block = allocate(3000);
  const size_t each = usable_size(blocks[0]);
  EXPECT_EQ(forked([&] {
              NH_CHILD_EXPECT(statistics().live == before + Bytes{each} * blocks.size());
              for (size_t i = 0; i < 400; ++i) deallocate(blocks[i]);
              NH_CHILD_EXPECT(statistics().live == before + Bytes{each} * 600);
            }),
            0);
  EXPECT_EQ(statistics().live, before + Bytes{each} * blocks.size());
  for (void* block : blocks) deallocate(block);
}

TEST(Fork, TheChildStillReportsMisuse) {
  const Siblings siblings(3);
  EXPECT_EQ(forked([] {
              static std::atomic<unsigned> reports{0};
              set_report_callback(
                  [](const Report& report, void*) noexcept {
                    if (report.kind == ReportKind::kMisuse) ++reports;
                  },
                  nullptr);
              int not_ours = 0;
              deallocate(&not_ours);
              NH_CHILD_EXPECT(reports == 1);
            }),
            0);
}

}  // namespace
}  // namespace numaheap

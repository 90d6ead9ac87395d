// Signal handlers that allocate while their thread is inside the allocator: no deadlock, and no bin changed under its
// owner's hands. Their memory comes from a small region that is never given back.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/time.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

#include "alloc/emergency.hpp"
#include "books.hpp"
#include "numa/child_process.hpp"
#include "numaheap/alloc.hpp"
#include "stress.hpp"

namespace numaheap {
namespace {

using alloc::emergency_allocate;
using alloc::emergency_size;
using alloc::is_emergency;
using tests::in_child;
using tests::statistics;

// --- the storm ---

std::atomic<unsigned> g_inside{0};   // handlers that interrupted the allocator
std::atomic<unsigned> g_outside{0};  // handlers that were served as usual
std::atomic<unsigned> g_refused{0};  // handlers that got nothing: the region is used up
std::atomic<unsigned> g_spoilt{0};   // blocks that did not keep their contents

void handle(int /*signal*/) {
  const int saved_errno = errno;
  for (size_t size : {24u, 700u, 20u}) {
    auto* block = static_cast<unsigned char*>(allocate(size));
    if (block == nullptr) {
      ++g_refused;
      continue;
    }
    memset(block, 0x11, size);
    ++(is_emergency(block) ? g_inside : g_outside);
    if (usable_size(block) < size || block[0] != 0x11 || block[size - 1] != 0x11) ++g_spoilt;
    deallocate(block);
  }
  errno = saved_errno;
}

/// A handler of SIGALRM at every 100 microseconds, for the length of a scope.
class Storm {
 public:
  Storm() {
    struct sigaction action {};
    action.sa_handler = handle;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, &before_);
    const itimerval often{{0, 100}, {0, 100}};
    setitimer(ITIMER_REAL, &often, nullptr);
  }
  ~Storm() {
    const itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &before_, nullptr);
  }
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;

 private:
  struct sigaction before_ {};
};

/// Slow paths of all kinds, and nothing but slow paths: a handler that interrupts the inline path itself may meet a bin
/// between two instructions, which no allocator without a lock can serve.
void slow_paths(std::vector<void*>& blocks) {
  for (void*& block : blocks) block = allocate_aligned(8192, 100000);
  void* large = allocate(size_t{6} << 20);
  large = reallocate(large, size_t{9} << 20);
  trim();  // what handlers left in the cache
  deallocate(large);
  for (void* block : blocks) deallocate(block);
  purge(KiB(256));
  housekeep();
}

TEST(Signal, AHandlerMayAllocateWhileItsThreadIsInTheAllocator) {
  // In a child, as the storm uses that memory up.
  EXPECT_EQ(in_child([] {
              std::vector<void*> blocks(20);
              slow_paths(blocks);
              trim();
              const Statistics before = statistics();
              {
                const Storm storm;
                // ThreadSanitizer holds signals back until system calls: none is sure to come inside.
                const unsigned inside = NH_THREAD_SANITIZER ? 0 : 50;
                for (unsigned round = 0;
                     round < 100000 && (round < 300 || g_inside < inside || g_outside < 50);
                     ++round)
                  slow_paths(blocks);
                NH_CHILD_EXPECT(g_inside >= inside);
                NH_CHILD_EXPECT(g_outside >= 50);
              }
              NH_CHILD_EXPECT(g_spoilt == 0);
              trim();
              const Statistics after = statistics();
              NH_CHILD_EXPECT(after.live == before.live);
              NH_CHILD_EXPECT(after.thread_cached == before.thread_cached);
              NH_CHILD_EXPECT(after.misuses == before.misuses);
            }),
            0);
}

// --- the memory that handlers get there ---

TEST(EmergencyMemory, IsAlignedKnowsItsSizeAndIsNotPartOfARange) {
  deallocate(allocate(1));
  for (size_t alignment : {size_t{1}, size_t{16}, size_t{64}, size_t{4096}}) {
    void* block = emergency_allocate(100, alignment);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % std::max<size_t>(alignment, 16), 0u);
    EXPECT_TRUE(is_emergency(block));
    EXPECT_GE(emergency_size(block), 100u);
    EXPECT_EQ(usable_size(block), emergency_size(block));
    EXPECT_TRUE(owns(block));
    EXPECT_EQ(home_node(block), kNoNode);
  }
}

TEST(EmergencyMemory, BlocksDoNotOverlap) {
  std::vector<unsigned char*> blocks(50);
  for (size_t i = 0; i < blocks.size(); ++i) {
    blocks[i] = static_cast<unsigned char*>(emergency_allocate(i, 1));
    memset(blocks[i], static_cast<int>(i), i);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    for (size_t j = 0; j < i; ++j) ASSERT_EQ(blocks[i][j], i);
  }
}

TEST(EmergencyMemory, FreeingItOutsideIsNoMisuse) {
  const uint64_t before = statistics().misuses;
  void* block = emergency_allocate(100, 1);
  deallocate(block);
  deallocate(block, 100, 1);
  EXPECT_EQ(statistics().misuses, before);
}

TEST(EmergencyMemory, MovesToTheHeapWhenItIsReallocated) {
  auto* block = static_cast<char*>(emergency_allocate(100, 1));
  memset(block, 'e', 100);
  EXPECT_FALSE(expand_in_place(block, 5000));
  auto* moved = static_cast<char*>(reallocate(block, 5000));
  ASSERT_NE(moved, nullptr);
  EXPECT_FALSE(is_emergency(moved));
  EXPECT_EQ(std::count(moved, moved + 100, 'e'), 100);
  deallocate(moved);
}

TEST(EmergencyMemory, IsLittleAndSaysSo) {
  EXPECT_EQ(in_child([] {
              NH_CHILD_EXPECT(emergency_allocate(size_t{2} << 20, 1) == nullptr);
              size_t got = 0;
              while (emergency_allocate(1000, 1) != nullptr) got += 1000;
              NH_CHILD_EXPECT(got > 800000 && got < size_t{1} << 20);
              NH_CHILD_EXPECT(emergency_allocate(1000, 1) == nullptr);
            }),
            0);
}

}  // namespace
}  // namespace numaheap

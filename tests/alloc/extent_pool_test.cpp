// ExtentPool over a small address space: what it hands out, what reads as zeros, and how it gives pages back.
#include "alloc/extent_pool.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "numa/child_process.hpp"
#include "numa/test_space.hpp"
#include "stress.hpp"

namespace numaheap::alloc {
namespace {

using tests::in_child;
using tests::repeated;

constexpr size_t kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;

struct Space {
  explicit Space(Bytes span = MiB(256), HugePages huge_pages = HugePages::kOff) {
    numa::AddressSpaceOptions options;
    options.span = span;
    NH_CHECK(static_cast<bool>(space.reserve(options)));
    extents.init(&space, 0, &meta, huge_pages);
  }
  uintptr_t take(size_t bytes, size_t alignment = kPage) {
    return extents.take(bytes, alignment, 0, false).start;
  }
  [[nodiscard]] uintptr_t start() const { return space.range_start(0); }

  numa::TestSpace space;
  MetaPool meta;
  ExtentPool extents;
};

char* at(uintptr_t address) { return reinterpret_cast<char*>(address); }

bool is_zero(uintptr_t start, size_t bytes) {
  return std::all_of(at(start), at(start) + bytes, [](char c) { return c == 0; });
}

TEST(ExtentPool, GrowsUpwardsAndFreshPagesAreZero) {
  Space s;
  const auto first = s.extents.take(10 * kPage, kPage, 0, true);
  const auto second = s.extents.take(kPage, kPage, 0, false);
  EXPECT_EQ(first.start, s.start());
  EXPECT_EQ(second.start, s.start() + 10 * kPage);
  EXPECT_TRUE(first.zeroed && second.zeroed);
  EXPECT_TRUE(is_zero(first.start, 11 * kPage));
  EXPECT_EQ(s.extents.taken(), Bytes{11 * kPage});
}

TEST(ExtentPool, PrefersDirtyPagesUnlessZerosAreAskedFor) {
  Space s;
  const uintptr_t clean = s.take(kPage);
  const uintptr_t dirty = s.take(2 * kPage) + kPage;  // not a neighbour
  memset(at(dirty), 1, kPage);
  ASSERT_TRUE(s.extents.give(clean, kPage, false));
  ASSERT_TRUE(s.extents.give(dirty, kPage, true));
  EXPECT_EQ(s.extents.dirty(), Bytes{kPage});
  const auto zeros = s.extents.take(kPage, kPage, 0, true);
  EXPECT_EQ(zeros.start, clean);
  const auto any = s.extents.take(kPage, kPage, 0, false);
  EXPECT_EQ(any.start, dirty);
  EXPECT_FALSE(any.zeroed);
  EXPECT_EQ(*at(dirty), 1);
  EXPECT_EQ(s.extents.dirty(), Bytes{0});
}

TEST(ExtentPool, ClearsDirtyPagesWhereThereAreNoCleanOnesToGiveAsZeros) {
  Space s;
  const uintptr_t start = s.take(5 * kPage);
  memset(at(start), 0xff, 5 * kPage);
  ASSERT_TRUE(s.extents.give(start, 5 * kPage, true));
  const auto again = s.extents.take(5 * kPage, kPage, 0, true);
  EXPECT_EQ(again.start, start);
  EXPECT_TRUE(again.zeroed);
  EXPECT_TRUE(is_zero(start, 5 * kPage));
}

TEST(ExtentPool, TakesTheLowestExtentThatFits) {
  Space s;
  const uintptr_t start = s.take(100 * kPage);
  for (size_t page : {90, 20, 50})
    ASSERT_TRUE(s.extents.give(start + page * kPage, 5 * kPage, true));
  EXPECT_EQ(s.take(3 * kPage), start + 20 * kPage);
  EXPECT_EQ(s.take(3 * kPage), start + 50 * kPage);
  EXPECT_EQ(s.take(2 * kPage), start + 23 * kPage);
  s.extents.check_invariants();
}

TEST(ExtentPool, PurgesInStepsOfTheBudgetFromTheLowestAddressOn) {
  Space s;
  const size_t bytes = MiB(10).value;
  const uintptr_t start = s.take(bytes);
  memset(at(start), 7, bytes);
  ASSERT_TRUE(s.extents.give(start, bytes, true));
  size_t left = bytes;
  for (size_t budget : {kPage, MiB(1).value, MiB(3).value, 5 * kPage}) {
    EXPECT_EQ(s.extents.purge(Bytes{budget}), Bytes{budget});
    left -= budget;
    EXPECT_EQ(s.extents.dirty(), Bytes{left});
    EXPECT_TRUE(is_zero(start + bytes - left - kPage, kPage));
    EXPECT_EQ(*at(start + bytes - left), 7);
  }
  EXPECT_EQ(s.extents.purge(GiB(1)), Bytes{left});
  EXPECT_EQ(s.extents.purge(GiB(1)), Bytes{0});
  EXPECT_EQ(s.extents.purged_total(), Bytes{bytes});
  const auto again = s.extents.take(bytes, kPage, 0, true);
  EXPECT_EQ(again.start, start);
  EXPECT_TRUE(is_zero(start, bytes));
}

TEST(ExtentPool, ABudgetOfNothingPurgesNothing) {
  Space s;
  const uintptr_t start = s.take(kPage);
  ASSERT_TRUE(s.extents.give(start, kPage, true));
  EXPECT_EQ(s.extents.purge(Bytes{0}), Bytes{0});
  EXPECT_EQ(s.extents.purge(Bytes{1}), Bytes{kPage});  // whole pages
}

#if !NH_SANITIZED  // sanitizers make mlock(2) do nothing
TEST(ExtentPool, KeepsPagesThatTheKernelDoesNotTakeBack) {
  Space s;
  const uintptr_t start = s.take(2 * kPage);
  ASSERT_EQ(mlock(at(start), 2 * kPage), 0);
  memset(at(start), 7, 2 * kPage);
  ASSERT_TRUE(s.extents.give(start, 2 * kPage, true));
  EXPECT_EQ(s.extents.purge(GiB(1)), Bytes{0});
  EXPECT_EQ(s.extents.dirty(), Bytes{2 * kPage});
  munlock(at(start), 2 * kPage);
  EXPECT_EQ(s.extents.purge(GiB(1)), Bytes{2 * kPage});
}
#endif

TEST(ExtentPool, GrowsAnExtentInPlaceIntoFreeAndFreshPages) {
  Space s;
  const uintptr_t start = s.take(kPage);
  EXPECT_EQ(s.extents.take(kPage, kPage, start + kPage, false).start, start + kPage);  // the bump
  ASSERT_TRUE(s.extents.give(start + kPage, kPage, true));
  EXPECT_EQ(s.extents.take(kPage, kPage, start + kPage, false).start, start + kPage);  // a free one
  EXPECT_EQ(s.extents.take(kPage, kPage, start + kPage, false).start, 0u);             // taken
  EXPECT_EQ(s.extents.take(kPage, kPage, start + 9 * kPage, false).start, 0u);  // beyond the bump
  EXPECT_EQ(s.extents.taken(), Bytes{2 * kPage});
}

TEST(ExtentPool, AlignsAndLosesNothingByIt) {
  Space s;
  const uintptr_t first = s.take(kPage);
  for (size_t alignment : {8 * kPage, 64 * kPage, kHugePage, 8 * kHugePage})
    EXPECT_EQ(s.take(3 * kPage, alignment) % alignment, 0u);
  // What was skipped is free and clean: it is found before the range grows any further.
  const auto skipped = s.extents.take(kPage, kPage, 0, true);
  EXPECT_EQ(skipped.start, first + kPage);
  EXPECT_TRUE(skipped.zeroed);
  s.extents.check_invariants();
}

TEST(ExtentPool, StartsExtentsOfHugePagesOnOne) {
  Space s(MiB(256), HugePages::kLarge);
  s.take(kPage);
  EXPECT_EQ(s.take(kHugePage) % kHugePage, 0u);
  EXPECT_EQ(s.take(3 * kHugePage + kPage) % kHugePage, 0u);
}

TEST(ExtentPool, AFullRangeSaysNoAndServesWhatComesBack) {
  Space s(MiB(64));
  std::vector<uintptr_t> extents;
  while (const uintptr_t start = s.take(MiB(1).value)) extents.push_back(start);
  EXPECT_EQ(extents.size(), 64u);
  EXPECT_EQ(s.take(kPage), 0u);
  EXPECT_EQ(s.take(GiB(1).value), 0u);
  EXPECT_EQ(s.take(kPage, size_t{1} << 46), 0u);
  ASSERT_TRUE(s.extents.give(extents[17], MiB(1).value, true));
  EXPECT_EQ(s.take(MiB(1).value), extents[17]);
  EXPECT_EQ(s.extents.taken(), MiB(64));
}

TEST(ExtentPool, SaysNoWhileTheKernelRefusesToOpenMore) {
  Space s;
  EXPECT_EQ(in_child([&s] {
              // Writable private memory counts as data: no room for the next step of 64 MiB.
              const auto data = static_cast<rlim_t>(
                  numa::kilobytes_of("/proc/self/status", "VmData:") * 1024 + (16 << 20));
              rlimit limit{};
              NH_CHILD_EXPECT(getrlimit(RLIMIT_DATA, &limit) == 0);
              const rlimit tight{data, limit.rlim_max};
              NH_CHILD_EXPECT(setrlimit(RLIMIT_DATA, &tight) == 0);
              NH_CHILD_EXPECT(s.take(kPage) == 0);
              NH_CHILD_EXPECT(s.extents.taken() == Bytes{0});
              NH_CHILD_EXPECT(setrlimit(RLIMIT_DATA, &limit) == 0);
              const uintptr_t start = s.take(kPage);
              NH_CHILD_EXPECT(start == s.start());
              *at(start) = 1;
            }),
            0);
}

TEST(ExtentPool, NeverHandsOutAPageTwiceAndKeepsContentsAndFigures) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    Space s(MiB(64));
    std::mt19937 random(seed);
    struct Held {
      uintptr_t start;
      size_t bytes;
      unsigned char value;
    };
    std::vector<Held> held;
    std::vector<bool> taken(MiB(64).value / kPage);
    size_t total = 0;
    const auto note = [&](uintptr_t start, size_t bytes, bool is_taken) {
      for (uintptr_t page = start; page < start + bytes; page += kPage) {
        const size_t i = (page - s.start()) / kPage;
        ASSERT_LT(i, taken.size());
        ASSERT_NE(taken[i], is_taken);
        taken[i] = is_taken;
      }
    };
    const auto marks = [](const Held& h) {  // a byte at either end of each page
      return [h, page = h.start]() mutable -> char* {
        if (page == h.start + h.bytes) return nullptr;
        page += kPage;
        return at(page - 1);
      };
    };
    for (size_t i = 0; i < repeated(20000); ++i) {
      const unsigned what = random() % 16;
      if (what < 8 && total < MiB(48).value) {
        const size_t bytes = (1 + (random() % 256 >> random() % 9)) * kPage;
        const bool zero = random() % 2 == 0;
        const size_t alignment = kPage << (random() % 4 == 0 ? random() % 6 : 0);
        const uintptr_t in_place =
            random() % 4 == 0 && !held.empty() ? held.back().start + held.back().bytes : 0;
        const auto got = s.extents.take(bytes, in_place != 0 ? kPage : alignment, in_place, zero);
        if (got.start == 0) continue;
        ASSERT_TRUE(in_place == 0 || got.start == in_place);
        ASSERT_EQ(got.start % (in_place != 0 ? kPage : alignment), 0u);
        ASSERT_TRUE(!zero || got.zeroed);
        ASSERT_TRUE(!got.zeroed || is_zero(got.start, bytes));
        const Held block{got.start, bytes, static_cast<unsigned char>(1 + random() % 255)};
        ASSERT_NO_FATAL_FAILURE(note(block.start, bytes, true));
        auto next = marks(block);
        while (char* mark = next()) *mark = static_cast<char>(block.value);
        held.push_back(block);
        total += bytes;
      } else if (what < 14 && !held.empty()) {
        std::swap(held[random() % held.size()], held.back());
        const Held block = held.back();
        held.pop_back();
        auto next = marks(block);
        while (char* mark = next()) ASSERT_EQ(*mark, static_cast<char>(block.value));
        ASSERT_NO_FATAL_FAILURE(note(block.start, block.bytes, false));
        ASSERT_TRUE(s.extents.give(block.start, block.bytes, true));
        total -= block.bytes;
      } else if (what == 14) {
        const Bytes dirty = s.extents.dirty();
        const Bytes purged = s.extents.purge(Bytes{(random() % 512) * kPage});
        ASSERT_EQ(s.extents.dirty(), dirty - purged);
      }
      ASSERT_EQ(s.extents.taken(), Bytes{total});
      if (i % 64 == 0) s.extents.check_invariants();
    }
  }
}

TEST(ExtentPool, ServesManyThreadsWhileItIsPurged) {
  Space s;
  std::atomic<bool> done{false};
  std::thread purger([&] {
    while (!done.load()) s.extents.purge(MiB(1));
  });
  std::vector<std::thread> threads;
  for (unsigned id = 1; id <= 3; ++id) {
    threads.emplace_back([&s, id] {
      std::mt19937 random(id);
      for (size_t i = 0; i < repeated(10000); ++i) {
        const size_t bytes = (1 + random() % 16) * kPage;
        const auto got = s.extents.take(bytes, kPage, 0, random() % 2 == 0);
        ASSERT_NE(got.start, 0u);
        ASSERT_TRUE(!got.zeroed || is_zero(got.start, bytes));
        memset(at(got.start), static_cast<int>(id), bytes);
        ASSERT_EQ(at(got.start)[random() % bytes], static_cast<char>(id));
        ASSERT_TRUE(s.extents.give(got.start, bytes, true));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  done.store(true);
  purger.join();
  EXPECT_EQ(s.extents.taken(), Bytes{0});
  s.extents.check_invariants();
}

}  // namespace
}  // namespace numaheap::alloc

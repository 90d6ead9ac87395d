#include "numaheap/numa/address_space.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "child_process.hpp"
#include "sanitizer.hpp"
#include "skip.hpp"
#include "test_space.hpp"

namespace numaheap::numa {
namespace {

using tests::in_child;

/// Whether the kernel can read a byte there: a write(2) from memory that cannot be accessed is EFAULT.
bool is_accessible(const void* address) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  const bool readable = ::write(ends[1], address, 1) == 1;
  close(ends[0]);
  close(ends[1]);
  return readable;
}

/// One mapping of this process as smaps describes it.
struct Mapping {
  uintptr_t start;
  uintptr_t end;
  std::string permissions;
  std::string flags;
};

std::vector<Mapping> mappings_between(uintptr_t start, uintptr_t end) {
  std::vector<Mapping> found;
  std::ifstream smaps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    Mapping mapping{};
    char permissions[8] = {};
    if (sscanf(line.c_str(), "%lx-%lx %7s", &mapping.start, &mapping.end, permissions) == 3) {
      inside = mapping.start < end && mapping.end > start;
      mapping.permissions = permissions;
      if (inside) found.push_back(mapping);
    } else if (inside && line.rfind("VmFlags:", 0) == 0) {
      found.back().flags = line + " ";
    }
  }
  return found;
}

TEST(AddressSpace, FindsTheRangeOfAnAddressBySubtractionAndShift) {
  auto space = std::make_unique<TestSpace>();
  ASSERT_TRUE(space->reserve());
  ASSERT_EQ(space->range_count(), 3u);
  EXPECT_EQ(space->base() % (2 << 20), 0u);
  std::mt19937_64 random(3);
  for (int i = 0; i < 10'000; ++i) {
    const auto range = static_cast<unsigned>(random() % 3);
    const uintptr_t address = space->range_start(range) + random() % space->span().value;
    EXPECT_EQ(space->range_of(address), range);
  }
  EXPECT_GE(space->range_of(space->base() - 1), space->range_count());
  EXPECT_GE(space->range_of(space->base() + 3 * space->span().value), space->range_count());
  EXPECT_GE(space->range_of(0), space->range_count());
  EXPECT_GE(space->range_of(reinterpret_cast<uintptr_t>(&space)), space->range_count());
}

TEST(AddressSpace, OpensAPrefixInStepsAndItsSideTableWithIt) {
  auto space = std::make_unique<TestSpace>();
  ASSERT_TRUE(space->reserve(small_options()));
  const auto* side = static_cast<const char*>(space->side_table());
  const size_t pages_per_range = space->span().value / kPage;
  EXPECT_FALSE(is_accessible(bytes_at(space->range_start(1))));
  EXPECT_FALSE(is_accessible(side + pages_per_range));

  ASSERT_TRUE(space->open(1, Bytes{1}));
  EXPECT_EQ(space->opened(1), MiB(64));
  EXPECT_TRUE(is_accessible(bytes_at(space->range_start(1) + MiB(64).value - 1)));
  EXPECT_FALSE(is_accessible(bytes_at(space->range_start(1) + MiB(64).value)));
  EXPECT_TRUE(is_accessible(side + pages_per_range));
  EXPECT_TRUE(is_accessible(side + pages_per_range + MiB(64).value / kPage - 1));
  EXPECT_FALSE(is_accessible(side + pages_per_range + MiB(64).value / kPage));
  EXPECT_FALSE(is_accessible(bytes_at(space->range_start(0)))) << "its neighbour stays closed";

  bytes_at(space->range_start(1))[5] = 'x';
  ASSERT_TRUE(space->open(1, MiB(65)));
  EXPECT_EQ(space->opened(1), MiB(128));
  EXPECT_EQ(bytes_at(space->range_start(1))[5], 'x');
  ASSERT_TRUE(space->open(1, MiB(3)));
  EXPECT_EQ(space->opened(1), MiB(128)) << "a prefix never shrinks";
}

TEST(AddressSpace, OpensARangeToItsLastByteAndNoFurther) {
  auto space = std::make_unique<TestSpace>();
  AddressSpaceOptions options = small_options();
  options.open_step = MiB(96);  // does not divide the span
  ASSERT_TRUE(space->reserve(options));
  ASSERT_TRUE(space->open(0, space->span()));
  EXPECT_EQ(space->opened(0), space->span());
  EXPECT_TRUE(is_accessible(bytes_at(space->range_start(1) - 1)));
  EXPECT_FALSE(is_accessible(bytes_at(space->range_start(1))));
  const Status beyond = space->open(0, Bytes{space->span().value + 1});
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, ErrorCode::kNoMemory);
}

TEST(AddressSpace, HasTwoMappingsARangeAndDumpsOnlyWhatIsOpen) {
  auto space = std::make_unique<TestSpace>();
  ASSERT_TRUE(space->reserve(small_options()));
  for (unsigned step = 1; step <= 3; ++step) ASSERT_TRUE(space->open(1, MiB(64) * step));
  const auto mappings = mappings_between(space->range_start(1), space->range_start(2));
  ASSERT_EQ(mappings.size(), 2u);
  EXPECT_EQ(mappings[0].permissions, "rw-p");
  EXPECT_EQ(mappings[0].flags.find(" dd "), std::string::npos) << mappings[0].flags;
  EXPECT_EQ(mappings[1].permissions, "---p");
  EXPECT_NE(mappings[1].flags.find(" dd "), std::string::npos) << mappings[1].flags;
}

TEST(AddressSpace, GivesPagesBackAndTakesThemAgainAsZeros) {
  auto space = std::make_unique<TestSpace>();
  ASSERT_TRUE(space->reserve(small_options()));
  ASSERT_TRUE(space->open(0, KiB(64)));
  char* start = bytes_at(space->range_start(0));
  memset(start, 7, 16 * kPage);
  ASSERT_TRUE(space->give_back(0, space->range_start(0) + kPage, Bytes{14 * kPage}));
  ASSERT_TRUE(space->reopen(0, space->range_start(0) + kPage, Bytes{14 * kPage}));
  EXPECT_EQ(start[kPage - 1], 7);
  for (size_t i = kPage; i < 15 * kPage; ++i) ASSERT_EQ(start[i], 0) << i;
  EXPECT_EQ(start[15 * kPage], 7);
}

TEST(AddressSpace, KeepsTheContentsOfLockedPagesThatItCannotGiveBack) {
  auto space = std::make_unique<TestSpace>();
  ASSERT_TRUE(space->reserve(small_options()));
  ASSERT_TRUE(space->open(0, KiB(64)));
  char* start = bytes_at(space->range_start(0));
  memset(start, 7, 4 * kPage);
  // By syscall(2): sanitizers make mlock(3) do nothing.
  if (syscall(SYS_mlock, start, 2 * kPage) != 0) NH_SKIP("RLIMIT_MEMLOCK does not allow two pages");
  errno = 0;
  const Status refused = space->give_back(0, space->range_start(0), Bytes{2 * kPage});
  EXPECT_EQ(errno, 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kSystem);
  EXPECT_EQ(refused.error().system_errno, EINVAL);
  EXPECT_EQ(start[0], 7);
  EXPECT_TRUE(space->give_back(0, space->range_start(0) + 2 * kPage, Bytes{2 * kPage}));
}

#if !NH_SANITIZED

TEST(AddressSpace, ReservesATebibyteARangeWhereNothingForbidsIt) {
  auto space = std::make_unique<TestSpace>();
  ASSERT_TRUE(space->reserve());
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  if (limit.rlim_cur != RLIM_INFINITY) NH_SKIP("RLIMIT_AS is set");
  EXPECT_EQ(space->span(), TiB(1));
}

TEST(AddressSpace, IsNotPopulatedByMlockall) {
  constexpr int kCannotLock = 77;
  const int status = in_child([] {
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) _exit(kCannotLock);
    static AddressSpace space;
    const Specs specs;
    NH_CHILD_EXPECT(space.reserve(specs.at, 3, 1, {}));
    const long reserved = resident();
    NH_CHILD_EXPECT(reserved > 0 && reserved < 512 * 1024);
    NH_CHILD_EXPECT(space.open(0, KiB(4)));
    const long opened = resident();
    NH_CHILD_EXPECT(opened < reserved + 80 * 1024);  // what is open is locked, and no more
    bytes_at(space.range_start(0))[0] = 1;
    NH_CHILD_EXPECT(!space.give_back(0, space.range_start(0), KiB(4)));
    NH_CHILD_EXPECT(bytes_at(space.range_start(0))[0] == 1);
  });
  if (status == kCannotLock) NH_SKIP("mlockall is refused (RLIMIT_MEMLOCK, CAP_IPC_LOCK)");
  EXPECT_EQ(status, 0);
}

TEST(AddressSpace, TakesAtMostHalfOfWhatRlimitAsLeaves) {
  EXPECT_EQ(
      in_child([] {
        const rlimit limit{GiB(8).value, GiB(8).value};
        NH_CHILD_EXPECT(setrlimit(RLIMIT_AS, &limit) == 0);
        static AddressSpace space;
        const Specs specs;
        const long before = kilobytes_of("/proc/self/status", "VmSize:");
        NH_CHILD_EXPECT(space.reserve(specs.at, 3, 1, {}));
        const long taken = kilobytes_of("/proc/self/status", "VmSize:") - before;
        NH_CHILD_EXPECT(taken <= (8 * 1024 * 1024 - before) / 2);
        NH_CHILD_EXPECT(space.span() == GiB(1));  // the largest of which three fit into some 4 GiB
        NH_CHILD_EXPECT(space.open(2, MiB(1)));
      }),
      0);
}

TEST(AddressSpace, SaysThatThereIsNoMemoryBelowTheSmallestSpan) {
  EXPECT_EQ(
      in_child([] {
        const rlimit limit{MiB(300).value, MiB(300).value};
        NH_CHILD_EXPECT(setrlimit(RLIMIT_AS, &limit) == 0);
        static AddressSpace space;
        const Specs specs;
        errno = 0;
        const Status refused = space.reserve(specs.at, 3, 1, {});
        NH_CHILD_EXPECT(!refused && refused.error().code == ErrorCode::kNoMemory && errno == 0);
        NH_CHILD_EXPECT(space.range_count() == 0);
        AddressSpaceOptions smaller;
        smaller.smallest_span = MiB(16);
        NH_CHILD_EXPECT(space.reserve(specs.at, 3, 1, smaller));
        NH_CHILD_EXPECT(space.span() >= MiB(16));
      }),
      0);
}

TEST(AddressSpace, LeavesARangeAsItWasWhenTheKernelRefusesToOpenMore) {
  EXPECT_EQ(
      in_child([] {
        static AddressSpace space;
        const Specs specs;
        NH_CHILD_EXPECT(space.reserve(specs.at, 3, 1, small_options()));
        NH_CHILD_EXPECT(space.open(0, MiB(64)));
        bytes_at(space.range_start(0))[0] = 1;
        const rlimit limit{MiB(100).value, RLIM_INFINITY};
        NH_CHILD_EXPECT(setrlimit(RLIMIT_DATA, &limit) == 0);
        errno = 0;
        const Status refused = space.open(0, MiB(128));
        NH_CHILD_EXPECT(!refused && refused.error().code == ErrorCode::kNoMemory && errno == 0);
        NH_CHILD_EXPECT(space.opened(0) == MiB(64));
        NH_CHILD_EXPECT(bytes_at(space.range_start(0))[0] == 1);
        const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
        NH_CHILD_EXPECT(setrlimit(RLIMIT_DATA, &none) == 0);
        NH_CHILD_EXPECT(space.open(0, MiB(128)));
        NH_CHILD_EXPECT(space.opened(0) == MiB(128));
      }),
      0);
}

#endif  // !NH_SANITIZED

TEST(AddressSpace, WorksOnInAForkedChild) {
  auto space = std::make_unique<TestSpace>();
  ASSERT_TRUE(space->reserve(small_options()));
  ASSERT_TRUE(space->open(0, KiB(4)));
  char* start = bytes_at(space->range_start(0));
  start[0] = 1;
  EXPECT_EQ(in_child([&] {
              NH_CHILD_EXPECT(start[0] == 1);
              start[0] = 2;
              NH_CHILD_EXPECT(space->open(0, MiB(65)));
              start[MiB(65).value] = 3;
              NH_CHILD_EXPECT(space->give_back(0, space->range_start(0), Bytes{kPage}));
            }),
            0);
  EXPECT_EQ(start[0], 1);
  EXPECT_EQ(space->opened(0), MiB(64));
}

TEST(AddressSpace, SaysWhyItCannotAdviseHugePages) {
  auto space = std::make_unique<TestSpace>();
  ASSERT_TRUE(space->reserve(small_options()));
  ASSERT_TRUE(space->open(0, MiB(64)));
  for (const bool on : {true, false}) {
    const Status advised = space->advise_huge_pages(space->range_start(0), MiB(4), on);
    if (!advised) {
      EXPECT_EQ(advised.error().code, ErrorCode::kNotSupported);
    } else {
      const auto mappings = mappings_between(space->range_start(0), space->range_start(0) + 1);
      ASSERT_EQ(mappings.size(), 1u);
      EXPECT_NE(mappings[0].flags.find(on ? " hg " : " nh "), std::string::npos)
          << mappings[0].flags;
    }
  }
}

TEST(AddressSpace, RefusesWhatIsNoLayout) {
  auto space = std::make_unique<TestSpace>();
  const Specs specs;
  const auto is_refused = [&](const Status& status) {
    return !status && status.error().code == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(is_refused(space->AddressSpace::reserve(specs.at, 0, 1, {})));
  EXPECT_TRUE(
      is_refused(space->AddressSpace::reserve(specs.at, AddressSpace::kMaxRanges + 1, 1, {})));
  RangeSpec beyond;
  beyond.node = NodeId{kMaxNodes};
  EXPECT_TRUE(is_refused(space->AddressSpace::reserve(&beyond, 1, 1, {})));
  RangeSpec nowhere;
  nowhere.placing = Placing::kInterleaved;
  EXPECT_TRUE(is_refused(space->AddressSpace::reserve(&nowhere, 1, 1, {})));
  for (const Bytes span : {Bytes{0}, MiB(3), Bytes{size_t{1} << 47}}) {
    AddressSpaceOptions options;
    options.span = span;
    EXPECT_TRUE(is_refused(space->reserve(options))) << span.value;
  }
  for (const Bytes step : {Bytes{0}, Bytes{4095}}) {
    AddressSpaceOptions options;
    options.open_step = step;
    EXPECT_TRUE(is_refused(space->reserve(options))) << step.value;
  }
}

TEST(AddressSpace, ServesTheMostRangesAndNoSideTable) {
  auto space = std::make_unique<TestSpace>();
  std::vector<RangeSpec> specs(AddressSpace::kMaxRanges);
  for (unsigned range = 0; range < AddressSpace::kMaxRanges; ++range)
    specs[range].node = NodeId{range};
  AddressSpaceOptions options;
  options.span = MiB(64);
  ASSERT_TRUE(space->AddressSpace::reserve(specs.data(), AddressSpace::kMaxRanges, 0, options));
  const unsigned last = AddressSpace::kMaxRanges - 1;
  ASSERT_TRUE(space->open(last, MiB(64)));
  bytes_at(space->range_start(last) + MiB(64).value - 1)[0] = 1;
  EXPECT_EQ(space->range_of(space->range_start(last) + MiB(64).value - 1), last);
}

TEST(AddressSpace, CanBeReservedAgainAfterARelease) {
  auto space = std::make_unique<TestSpace>();
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(space->reserve(small_options()));
    EXPECT_EQ(space->opened(0), Bytes{0});
    ASSERT_TRUE(space->open(0, Bytes{1}));
    space->release();
    EXPECT_EQ(space->range_count(), 0u);
  }
}

}  // namespace
}  // namespace numaheap::numa

// The policy ladder: which rung a range gets when the kernel grants, refuses or does not know something.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>

#include "child_process.hpp"
#include "numaheap/numa/machine.hpp"
#include "test_space.hpp"

namespace numaheap::numa {
namespace {

using tests::in_child;
using tests::refuse_mbind_mode;
using tests::refuse_system_calls;

TEST(PolicyLadder, IsOnlyClimbedWhereTheMachineHasSeveralNodes) {
  const bool has_one = read_machine().online.size() == 1;
  auto space = std::make_unique<TestSpace>();
  ASSERT_TRUE(space->reserve(small_options()));
  for (unsigned range = 0; range < 3; ++range) {
    EXPECT_EQ(space->rung(range) == PolicyRung::kNotNeeded, has_one);
    EXPECT_TRUE(!has_one || space->refused_errno(range) == 0);
  }
}

AddressSpaceOptions placed_options() {
  AddressSpaceOptions options = small_options();
  options.place_single_node = true;
  return options;
}

TEST(PolicyLadder, BindsRangesWhereMbindIsGranted) {
  EXPECT_EQ(
      in_child([] {
        // As on a kernel before 6.9, whatever this one is.
        NH_CHILD_EXPECT(refuse_mbind_mode(6, EINVAL));
        static AddressSpace space;
        const Specs specs;
        NH_CHILD_EXPECT(space.reserve(specs.at, 3, 1, placed_options()));
        NH_CHILD_EXPECT(space.rung(0) == PolicyRung::kPreferred && space.refused_errno(0) == 0);
        NH_CHILD_EXPECT(space.rung(1) == PolicyRung::kInterleave && space.refused_errno(1) == 0);
        NH_CHILD_EXPECT(space.rung(2) == PolicyRung::kInterleave &&
                        space.refused_errno(2) == EINVAL);
      }),
      0);
}

TEST(PolicyLadder, StepsDownTheLadderWhereMbindIsRefused) {
  for (const int refusal : {EPERM, ENOSYS}) {
    EXPECT_EQ(in_child([&] {
                NH_CHILD_EXPECT(refuse_system_calls({{SYS_mbind, refusal}}));
                static AddressSpace space;
                const Specs specs;
                errno = 0;
                NH_CHILD_EXPECT(space.reserve(specs.at, 3, 1, placed_options()));
                NH_CHILD_EXPECT(errno == 0);
                NH_CHILD_EXPECT(space.rung(0) == PolicyRung::kPinnedPopulate);
                NH_CHILD_EXPECT(space.rung(1) == PolicyRung::kFirstTouch);
                NH_CHILD_EXPECT(space.rung(2) == PolicyRung::kFirstTouch);
                for (unsigned range = 0; range < 3; ++range) {
                  NH_CHILD_EXPECT(space.refused_errno(range) == refusal);
                }
              }),
              0)
        << refusal;
  }
}

TEST(PolicyLadder, FallsToFirstTouchWhereThreadsCannotBePinnedEither) {
  EXPECT_EQ(
      in_child([] {
        NH_CHILD_EXPECT(refuse_system_calls({{SYS_mbind, EPERM}, {SYS_sched_getaffinity, EPERM}}));
        static AddressSpace space;
        const Specs specs;
        NH_CHILD_EXPECT(space.reserve(specs.at, 3, 1, placed_options()));
        NH_CHILD_EXPECT(space.rung(0) == PolicyRung::kFirstTouch);
        NH_CHILD_EXPECT(space.refused_errno(0) == EPERM);
        NH_CHILD_EXPECT(space.open(0, KiB(4)));
        NH_CHILD_EXPECT(space.populate(0, space.range_start(0), KiB(4)));
        bytes_at(space.range_start(0))[0] = 1;
      }),
      0);
}

TEST(PolicyLadder, FallsToFirstTouchForANodeThatDoesNotExist) {
  auto space = std::make_unique<TestSpace>();
  RangeSpec spec;
  spec.node = NodeId{kMaxNodes - 1};
  ASSERT_TRUE(space->AddressSpace::reserve(&spec, 1, 1, placed_options()));
  EXPECT_EQ(space->rung(0), PolicyRung::kFirstTouch);
  EXPECT_EQ(space->refused_errno(0), EINVAL);
}

void expect_populated(const AddressSpaceOptions& options) {
  static AddressSpace space;
  const Specs specs;
  NH_CHILD_EXPECT(space.reserve(specs.at, 3, 1, options));
  NH_CHILD_EXPECT(space.needs_populate(0) && !space.needs_populate(1));
  NH_CHILD_EXPECT(space.open(0, MiB(32)));
  char* start = bytes_at(space.range_start(0));
  start[kPage + 1] = 42;
  const long before = resident();
  NH_CHILD_EXPECT(space.populate(0, space.range_start(0), MiB(32)));
  NH_CHILD_EXPECT(resident() - before >= 31 * 1024);
  NH_CHILD_EXPECT(start[kPage + 1] == 42);  // what was there is kept
}

TEST(PolicyLadder, PopulatesOnThePinnedRung) {
  AddressSpaceOptions options = placed_options();
  options.try_mbind = false;
  EXPECT_EQ(in_child([&] { expect_populated(options); }), 0);
}

TEST(PolicyLadder, PopulatesByTouchOnAKernelThatCannotPopulate) {
  AddressSpaceOptions options = placed_options();
  options.try_mbind = false;
  EXPECT_EQ(in_child([&] {
              NH_CHILD_EXPECT(refuse_system_calls({{SYS_madvise, EINVAL}}));
              expect_populated(options);
            }),
            0);
}

TEST(PolicyRung, HasAName) {
  std::set<std::string> names;
  for (const PolicyRung rung :
       {PolicyRung::kNotNeeded, PolicyRung::kPreferred, PolicyRung::kInterleave,
        PolicyRung::kWeighted, PolicyRung::kPinnedPopulate, PolicyRung::kFirstTouch}) {
    names.insert(name(rung));
  }
  EXPECT_EQ(names.size(), 6u);
}

}  // namespace
}  // namespace numaheap::numa

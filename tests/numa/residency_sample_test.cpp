#include "numaheap/numa/residency_sample.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

#include "child_process.hpp"
#include "numaheap/numa/residency.hpp"
#include "pages.hpp"

namespace numaheap::numa {
namespace {

using tests::kPage;
using tests::Pages;

constexpr NodeId kElsewhere{4711};  // a node that no page is on

/// A thousand pages, of which every tenth and the first hundred are there.
struct Thousand : Pages {
  static constexpr Bytes kSize{1000 * kPage};
  static constexpr size_t kThere = 190;
  Thousand() : Pages(1000) {
    for (size_t page = 0; page < 1000; ++page) {
      if (page % 10 == 0 || page < 100) (*this)[page][0] = 1;
    }
  }
  uintptr_t start() { return reinterpret_cast<uintptr_t>((*this)[0]); }
};

TEST(ResidencySample, IsExactWhenItAsksAboutAllPages) {
  Thousand pages;
  const Result<NodeId> here = resident_node(pages[0]);
  ASSERT_TRUE(here);
  for (const size_t wanted : {size_t{1000}, size_t{5000}}) {
    errno = 33;
    const auto home = sample_residency(pages.start(), Thousand::kSize, *here, wanted, 1);
    EXPECT_EQ(errno, 33);
    ASSERT_TRUE(home);
    EXPECT_EQ(home->pages, 1000u);
    EXPECT_EQ(home->resident, Bytes{Thousand::kThere * kPage});
    const auto away = sample_residency(pages.start(), Thousand::kSize, kElsewhere, wanted, 1);
    ASSERT_TRUE(away);
    EXPECT_EQ(away->elsewhere, Bytes{Thousand::kThere * kPage});
  }
}

TEST(ResidencySample, IsRightOnAverage) {
  Thousand pages;
  size_t sum = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const auto sample =
        sample_residency(pages.start(), Thousand::kSize, kElsewhere, 40, seed * 1000);
    ASSERT_TRUE(sample);
    EXPECT_EQ(sample->pages, 40u);
    EXPECT_EQ(sample->resident, sample->elsewhere);
    sum += sample->elsewhere.value / kPage;
  }
  EXPECT_NEAR(static_cast<double>(sum) / 200, Thousand::kThere, 10);
}

TEST(ResidencySample, IsTheSameForTheSameSeedOnly) {
  Thousand pages;
  const auto sample = [&](uint64_t seed) {
    return sample_residency(pages.start(), Thousand::kSize, kElsewhere, 97, seed)->elsewhere.value;
  };
  EXPECT_EQ(sample(5), sample(5));
  bool differs = false;
  for (uint64_t seed = 1000; seed < 10'000; seed += 1000) differs |= sample(seed) != sample(5);
  EXPECT_TRUE(differs);
}

TEST(ResidencySample, IsEmptyForNoMemory) {
  Thousand pages;
  const auto sample = sample_residency(pages.start(), Bytes{0}, kElsewhere, 10, 1);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->pages, 0u);
  EXPECT_EQ(sample->resident, Bytes{0});
}

TEST(ResidencySample, SaysThatAFilterRefusesIt) {
  EXPECT_EQ(tests::in_child([] {
              Thousand pages;
              NH_CHILD_EXPECT(tests::refuse_system_calls({{SYS_move_pages, EPERM}}));
              const auto sample =
                  sample_residency(pages.start(), Thousand::kSize, kElsewhere, 10, 1);
              NH_CHILD_EXPECT(!sample && sample.error().code == ErrorCode::kNotPermitted);
            }),
            0);
}

}  // namespace
}  // namespace numaheap::numa

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "numaheap/stats/doctor.hpp"

namespace numaheap::stats {
namespace {

std::string refused(const char* text) {
  Thresholds thresholds;
  char error[1000];
  EXPECT_FALSE(set_thresholds(thresholds, text, error)) << text;
  for (const RuleInfo& rule : doctor_rules()) {
    EXPECT_EQ(thresholds[rule.rule].value, rule.threshold) << "changed in spite of " << text;
    EXPECT_EQ(thresholds[rule.rule].least, rule.least);
    EXPECT_TRUE(thresholds[rule.rule].is_on);
  }
  return error;
}

TEST(DoctorThresholds, AreAsShippedAtFirst) {
  const Thresholds thresholds;
  EXPECT_EQ(thresholds[Rule::kBigPeak].value, 1.5);
  EXPECT_EQ(thresholds[Rule::kHighRss].least, 10 << 20);
}

TEST(DoctorThresholds, AreSetByNameInTheUnitsOfPeople) {
  Thresholds thresholds;
  char error[200];
  ASSERT_TRUE(set_thresholds(thresholds,
                             "big-peak=2, high-rss.bytes=1GiB map-count=80%\n"
                             "empty=1.5MiB,scripts=5000,,swap=off ",
                             error))
      << error;
  EXPECT_EQ(thresholds[Rule::kBigPeak].value, 2);
  EXPECT_EQ(thresholds[Rule::kHighRss].least, 1 << 30);
  EXPECT_EQ(thresholds[Rule::kHighRss].value, 1.4);
  EXPECT_DOUBLE_EQ(thresholds[Rule::kMapCount].value, 0.8);
  EXPECT_EQ(thresholds[Rule::kEmpty].value, 1.5 * (1 << 20));
  EXPECT_EQ(thresholds[Rule::kScripts].value, 5000);
  EXPECT_FALSE(thresholds[Rule::kSwap].is_on);
  ASSERT_TRUE(set_thresholds(thresholds, "swap=on", error));
  EXPECT_TRUE(thresholds[Rule::kSwap].is_on);
  EXPECT_TRUE(set_thresholds(thresholds, "", error));
}

TEST(DoctorThresholds, NameWhatIsWrongAndWhatIsAccepted) {
  EXPECT_EQ(refused("big-peak=2,big-peek=2").substr(0, 61),
            "there is no rule \"big-peek\"; accepted are empty, big-peak, hi");
  EXPECT_NE(refused("nothing=1").find(", defrag-waste"), std::string::npos);
  EXPECT_EQ(
      refused("big-peak"),
      "\"big-peak\" sets nothing; accepted is RULE=VALUE, RULE.bytes=SIZE, RULE=off or RULE=on");
  EXPECT_EQ(refused("big-peak=much"),
            "\"big-peak\" is set to \"much\"; accepted is a ratio such as 1.5 or 5%, on or off");
  EXPECT_EQ(refused("big-peak=2MiB"),
            "\"big-peak\" is set to \"2MiB\"; accepted is a ratio such as 1.5 or 5%, on or off");
  EXPECT_EQ(refused("high-rss.bytes=5%"),
            "\"high-rss.bytes\" is set to \"5%\"; accepted is a size such as 64MiB, or a number of "
            "bytes");
  EXPECT_EQ(refused("high-rss.bytes=off").substr(0, 38),
            "\"high-rss.bytes\" is set to \"off\"; acce");
  EXPECT_EQ(refused("big-peak.bytes=5"),
            "\"big-peak.bytes\" is not there: this rule looks at one value only; accepted is "
            "big-peak=VALUE");
  for (const char* text : {"=1", "big-peak=", "big-peak=-1", "big-peak=nan", "big-peak=inf",
                           "big-peak=1e5", "big-peak=0x5", "scripts=5s", "big-peak==2"}) {
    EXPECT_NE(refused(text), "") << text;
  }
}

TEST(DoctorThresholds, CutAnErrorThatHasNoRoom) {
  Thresholds thresholds;
  for (size_t size = 0; size < 100; ++size) {
    std::vector<char> error(size + 1, '#');
    EXPECT_FALSE(set_thresholds(thresholds, "big-peek=2", std::span(error).first(size)));
    EXPECT_EQ(error[size], '#');
    if (size == 0) continue;
    EXPECT_LT(std::string(error.data()).size(), size);
  }
}

}  // namespace
}  // namespace numaheap::stats

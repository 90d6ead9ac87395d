#include "numaheap/stats/alert.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "made_snapshot.hpp"

namespace numaheap::stats {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr AlertRule kRule{.name = "full",
                          .text = "Look at it.",
                          .figure = {.metric = "used_bytes"},
                          .threshold = 100,
                          .clear = 80,
                          .hold = 30s};

/// One rule, sampled with a value or without one, and what it said.
class Watch {
 public:
  explicit Watch(const AlertRule& rule = kRule)
      : rule_(rule), alerts_({&rule_, 1}, {&status_, 1}, 10s) {
    alerts_.call(
        [](void* self, const AlertStatus& status) noexcept {
          static_cast<Watch*>(self)->called_.push_back(status.state);
        },
        this);
    alerts_.log(
        [](void* self, std::string_view line) noexcept {
          static_cast<Watch*>(self)->lines_.emplace_back(line);
        },
        this);
  }

  AlertState at(nanoseconds now, int64_t value) {
    MadeSnapshot made;
    made.add("used_bytes", value);
    return at(now, made.get());
  }
  AlertState at(nanoseconds now, const Snapshot& snapshot) {
    alerts_.sample(snapshot, now);
    return status_.state;
  }
  AlertState without_value_at(nanoseconds now) { return at(now, Snapshot{}); }

  [[nodiscard]] const std::vector<AlertState>& called() const { return called_; }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }
  [[nodiscard]] const AlertStatus& status() const { return status_; }
  Alerts& alerts() { return alerts_; }

 private:
  AlertRule rule_;
  AlertStatus status_;
  Alerts alerts_;
  std::vector<AlertState> called_;
  std::vector<std::string> lines_;
};

TEST(Alert, FiresAfterTheHoldTimeAndIsResolvedAtTheClearThreshold) {
  Watch watch;
  EXPECT_EQ(watch.at(0s, 100), AlertState::kInactive) << "at the threshold is not above it";
  EXPECT_EQ(watch.at(10s, 101), AlertState::kPending);
  EXPECT_EQ(watch.at(20s, 200), AlertState::kPending);
  EXPECT_EQ(watch.at(40s, 101), AlertState::kFiring);
  EXPECT_EQ(watch.status().beyond_since, 10s);
  EXPECT_EQ(watch.status().since, 40s);
  EXPECT_EQ(watch.at(50s, 81), AlertState::kFiring);
  EXPECT_EQ(watch.at(60s, 80), AlertState::kResolved);
  EXPECT_EQ(watch.at(70s, 100), AlertState::kResolved);
  EXPECT_EQ(watch.at(80s, 101), AlertState::kPending);
  EXPECT_EQ(watch.called(), (std::vector{AlertState::kFiring, AlertState::kResolved}));
}

TEST(Alert, FiresAtTheFirstSampleThatIsTheHoldTimeAfterAndNotBefore) {
  Watch early;
  early.at(5s, 101);
  EXPECT_EQ(early.at(35s - 1ns, 101), AlertState::kPending);
  EXPECT_EQ(early.at(35s, 101), AlertState::kFiring);
  Watch at_once({.name = "now", .figure = {.metric = "used_bytes"}, .threshold = 1, .clear = 1});
  EXPECT_EQ(at_once.at(0s, 2), AlertState::kFiring);
}

TEST(Alert, StartsToHoldAnewAfterEachSampleThatIsNotBeyondTheThreshold) {
  Watch watch;
  watch.at(0s, 101);
  watch.at(29s, 100);
  EXPECT_EQ(watch.status().state, AlertState::kInactive);
  watch.at(30s, 101);
  EXPECT_EQ(watch.at(59s, 101), AlertState::kPending);
  EXPECT_EQ(watch.at(60s, 101), AlertState::kFiring);
}

TEST(Alert, FiresBelowAThresholdToo) {
  Watch watch({.name = "low",
               .figure = {.metric = "used_bytes"},
               .below = true,
               .threshold = 10,
               .clear = 20});
  EXPECT_EQ(watch.at(0s, 10), AlertState::kInactive);
  EXPECT_EQ(watch.at(1s, 9), AlertState::kFiring);
  EXPECT_EQ(watch.at(2s, 19), AlertState::kFiring);
  EXPECT_EQ(watch.at(3s, 20), AlertState::kResolved);
}

TEST(Alert, DoesNotHoldWhileTheValueCannotBeHadAndDoesNotEndThenEither) {
  Watch watch;
  watch.at(0s, 101);
  EXPECT_EQ(watch.without_value_at(10s), AlertState::kInactive);
  watch.at(20s, 101);
  EXPECT_EQ(watch.at(40s, 101), AlertState::kPending) << "20 s only";
  EXPECT_EQ(watch.at(50s, 101), AlertState::kFiring);
  EXPECT_EQ(watch.without_value_at(60s), AlertState::kFiring);
  EXPECT_FALSE(watch.status().value);
  EXPECT_STREQ(watch.status().missing, "used_bytes");
  EXPECT_EQ(watch.at(70s, 0), AlertState::kResolved);
}

TEST(Alert, SumsTheSamplesThatHaveItsLabels) {
  MadeSnapshot made;
  made.add("used_bytes", 60, Unit::kBytes, {{"node", NodeId{0}}, {"tier", "thread"}});
  made.add("used_bytes", 50, Unit::kBytes, {{"node", NodeId{1}}, {"tier", "thread"}});
  made.add("used_bytes", 70, Unit::kBytes, {{"node", NodeId{1}}, {"tier", "node"}});
  const auto value = [&](std::initializer_list<LabelMatch> labels) {
    AlertRule rule = kRule;
    std::copy(labels.begin(), labels.end(), rule.figure.labels.begin());
    Watch watch(rule);
    watch.at(0s, made.get());
    return watch.status().value;
  };
  EXPECT_EQ(value({}), 180);
  EXPECT_EQ(value({{"node", NodeId{1}}}), 120);
  EXPECT_EQ(value({{"tier", "thread"}}), 110);
  EXPECT_EQ(value({{"tier", "thread"}, {"node", NodeId{0}}}), 60);
  EXPECT_EQ(value({{"node", NodeId{2}}}), std::nullopt);
  EXPECT_EQ(value({{"class", NodeId{1}}}), std::nullopt);
}

TEST(Alert, ComparesRatiosInOneUnit) {
  AlertRule rule{.name = "ratio",
                 .figure = {.metric = "scan"},
                 .per = {.metric = "period"},
                 .threshold = 0.5,
                 .clear = 0.5};
  Watch watch(rule);
  MadeSnapshot made;
  made.add("scan", 2'000'000'000, Unit::kNanoseconds).add("period", 4, Unit::kCount);
  EXPECT_EQ(watch.at(0s, made.get()), AlertState::kInactive);
  EXPECT_DOUBLE_EQ(*watch.status().value, 0.5);
  made.set("scan", 2'000'000'001, Unit::kNanoseconds);
  EXPECT_EQ(watch.at(1s, made.get()), AlertState::kFiring);
  made.set("period", 0, Unit::kCount);
  watch.at(2s, made.get());
  EXPECT_FALSE(watch.status().value) << "nothing is a share of nothing";
}

TEST(Alert, WritesALineForEachChangeThatMatters) {
  AlertRule rule = kRule;
  rule.figure.labels[0] = {"node", NodeId{1}};
  Watch watch(rule);
  MadeSnapshot made;
  made.add("used_bytes", 2048, Unit::kBytes, {{"node", NodeId{1}}});
  watch.at(0s, made.get());
  watch.at(45s, made.get());
  watch.without_value_at(50s);
  watch.without_value_at(55s);
  made.remove("used_bytes").add("used_bytes", 10, Unit::kBytes, {{"node", NodeId{1}}});
  watch.at(60s, made.get());
  EXPECT_EQ(
      watch.lines(),
      (std::vector<std::string>{
          "alert full (warning) firing: used_bytes{node=\"1\"} is 2 KiB, above 100 B for 45 s. "
          "Look at it.",
          "alert full (warning) cannot be examined: used_bytes: it has no sample. Look at it.",
          "alert full (warning) resolved: used_bytes{node=\"1\"} is 10 B, no longer above 80 B. "
          "Look at it."}));
}

TEST(Alert, WritesOneLineWhateverItsTextsHold) {
  AlertRule rule = kRule;
  rule.text = "Two\nlines.\x1b[2J";
  rule.figure.metric = "no\nsuch";
  rule.figure.labels[0] = {"a\nb", "c\nd"};
  Watch watch(rule);
  watch.without_value_at(0s);
  MadeSnapshot made;
  made.add("no\nsuch", 101, Unit::kBytes, {{"a\nb", "c\nd"}});
  watch.at(10s, made.get());
  watch.at(40s, made.get());
  ASSERT_EQ(watch.lines().size(), 2u);
  for (const std::string& line : watch.lines()) {
    for (const char c : line) EXPECT_GE(c, ' ') << line;
  }
}

TEST(Alert, IsDueAtFirstAndThenEveryPeriod) {
  Watch watch;
  EXPECT_TRUE(watch.alerts().due(0s));
  watch.at(3s, 0);
  EXPECT_FALSE(watch.alerts().due(13s - 1ns));
  EXPECT_TRUE(watch.alerts().due(13s));
}

TEST(Alert, NeverFlapsWhileItsValueStaysBetweenTheThresholds) {
  std::mt19937 random(7);
  for (const bool fires_first : {false, true}) {
    Watch watch;
    nanoseconds now = 0s;
    watch.at(now, fires_first ? 101 : 0);
    if (fires_first) watch.at(now += 30s, 101);
    const AlertState before = watch.status().state;
    const size_t calls = watch.called().size();
    for (int i = 0; i < 10'000; ++i) {
      now += nanoseconds(random() % 20'000'000'000);
      ASSERT_EQ(watch.at(now, 81 + random() % 20), before);
    }
    EXPECT_EQ(watch.called().size(), calls);
  }
}

TEST(Alert, IsAtEverySampleWhatItsHistorySays) {
  // Against the definition: firing from a sample on that ends `hold` of samples beyond the threshold, until one that is
  // not beyond the clear threshold.
  std::mt19937 random(11);
  size_t all_changes = 0;
  for (int round = 0; round < 50; ++round) {
    Watch watch;
    nanoseconds now = 0s;
    bool fires = false;
    bool is_beyond = false;
    nanoseconds beyond_since = 0s;
    size_t changes = 0;
    int64_t value = 0;
    for (int i = 0; i < 500; ++i) {
      now += nanoseconds(random() % 8'000'000'000);
      const bool is_known = random() % 20 != 0;
      if (random() % 8 == 0) value = 61 + static_cast<int64_t>(random() % 80);
      is_known ? watch.at(now, value) : watch.without_value_at(now);
      if (!is_beyond) beyond_since = now;
      is_beyond = is_known && value > 100;
      const bool fired = fires;
      if (fires) {
        fires = !is_known || value > 80;
      } else {
        fires = is_beyond && now - beyond_since >= 30s;
      }
      changes += fired != fires;
      ASSERT_EQ(watch.status().state == AlertState::kFiring, fires) << "sample " << i;
      ASSERT_EQ(watch.called().size(), changes);
    }
    all_changes += changes;
  }
  EXPECT_GT(all_changes, 100u) << "else little was tested";
}

TEST(Alert, ThatMakesNoSenseIsRefused) {
  const auto with = [](auto change) {
    AlertRule rule = kRule;
    change(rule);
    return check_rule(rule).has_value();
  };
  EXPECT_TRUE(with([](AlertRule&) {}));
  EXPECT_FALSE(with([](AlertRule& r) { r.name = ""; }));
  EXPECT_FALSE(with([](AlertRule& r) { r.name = nullptr; }));
  EXPECT_FALSE(with([](AlertRule& r) { r.name = "a b"; }));
  EXPECT_FALSE(with([](AlertRule& r) { r.figure.metric = nullptr; }));
  EXPECT_FALSE(with([](AlertRule& r) { r.clear = 101; }));
  EXPECT_FALSE(with([](AlertRule& r) { r.below = true; }));
  EXPECT_FALSE(with([](AlertRule& r) { r.threshold = std::nan(""); }));
  EXPECT_FALSE(with([](AlertRule& r) { r.hold = -1ns; }));
}

std::optional<int64_t> exported(const char* name) {
  std::vector<Sample> memory(1000);
  const Snapshot snapshot = take_snapshot(memory);
  const Sample* sample = snapshot.find(kAlertFiring, {Label(name)});
  return sample == nullptr ? std::nullopt : std::optional(sample->value);
}

TEST(Alert, IsShownAsAMetricWhileItsObjectLives) {
  {
    Watch watch;
    ASSERT_TRUE(watch.alerts().export_metric().has_value());
    EXPECT_EQ(exported("full"), std::nullopt) << "not sampled yet";
    watch.at(0s, 101);
    EXPECT_EQ(exported("full"), 0) << "pending";
    watch.at(30s, 101);
    EXPECT_EQ(exported("full"), 1);
    Watch same_name;
    EXPECT_FALSE(same_name.alerts().export_metric().has_value());
    EXPECT_EQ(exported("full"), 1);
  }
  EXPECT_EQ(exported("full"), std::nullopt);
  Watch later;
  EXPECT_TRUE(later.alerts().export_metric().has_value());
}

TEST(Alert, IsReadAsAMetricWhileOthersComeAndGo) {
  std::atomic<bool> done{false};
  std::atomic<size_t> wrong{0};
  std::thread reader([&] {
    while (!done) {
      const std::optional<int64_t> value = exported("full");
      if (value && *value != 0 && *value != 1) ++wrong;
    }
  });
  for (int i = 0; i < 300; ++i) {
    Watch watch;
    ASSERT_TRUE(watch.alerts().export_metric().has_value());
    watch.at(0s, 101);
    watch.at(30s, 101);
  }
  done = true;
  reader.join();
  EXPECT_EQ(wrong, 0u);
}

TEST(Alert, IsShownUnderAtMostSoManyNames) {
  std::vector<std::string> names;
  for (size_t i = 0; i <= Alerts::kMaxExported; ++i) names.push_back("many-" + std::to_string(i));
  std::vector<AlertRule> rules(names.size(), kRule);
  for (size_t i = 0; i < names.size(); ++i) rules[i].name = names[i].c_str();
  std::vector<AlertStatus> statuses(rules.size());
  Alerts alerts(rules, statuses, 1s);
  const Status refused = alerts.export_metric();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kNoMemory);
  alerts.sample(Snapshot{}, 0s);
  EXPECT_EQ(exported("many-0"), std::nullopt);
}

}  // namespace
}  // namespace numaheap::stats

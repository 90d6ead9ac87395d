#include "numaheap/stats/alert_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "made_snapshot.hpp"

namespace numaheap::stats {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<AlertFile> accepted(const char* toml) {
  AlertFileResult result = parse_alerts(toml, "alerts.toml");
  for (const AlertMistake& mistake : result.mistakes) ADD_FAILURE() << to_text(mistake);
  return result.alerts == nullptr ? std::make_unique<AlertFile>() : std::move(result.alerts);
}

std::string refused(const std::string& toml) {
  const AlertFileResult result = parse_alerts(toml, "alerts.toml");
  EXPECT_EQ(result.alerts, nullptr) << toml;
  std::string text;
  for (const AlertMistake& mistake : result.mistakes) text += to_text(mistake) + "\n";
  return text;
}

TEST(AlertFile, HasRulesInTheOrderOfTheFile) {
  const auto file = accepted(R"(
every = "500ms"

[alerts.spill]
text = "Node 1 is full."
severity = "critical"
metric = "test_elsewhere_bytes"
labels = { node = 1 }
per = "test_resident_bytes"
per_labels = { tier = "node", node = 1 }
above = "5%"
clear = 0.03
hold = "5m"

[alerts.idle]
metric = "test_live_bytes"
below = "64MiB"
)");
  EXPECT_EQ(file->every, 500ms);
  ASSERT_EQ(file->rules.size(), 2u);
  const AlertRule& spill = file->rules[0];
  EXPECT_STREQ(spill.name, "spill");
  EXPECT_STREQ(spill.text, "Node 1 is full.");
  EXPECT_EQ(spill.severity, Severity::kCritical);
  EXPECT_STREQ(spill.figure.metric, "test_elsewhere_bytes");
  EXPECT_STREQ(spill.figure.labels[0].key, "node");
  EXPECT_EQ(spill.figure.labels[0].label, Label(1));
  EXPECT_EQ(spill.figure.labels[1].key, nullptr);
  EXPECT_STREQ(spill.per.metric, "test_resident_bytes");
  EXPECT_EQ(spill.per.labels[0].label, Label("node"));
  EXPECT_FALSE(spill.below);
  EXPECT_DOUBLE_EQ(spill.threshold, 0.05);
  EXPECT_DOUBLE_EQ(spill.clear, 0.03);
  EXPECT_EQ(spill.hold, 5min);
  const AlertRule& idle = file->rules[1];
  EXPECT_TRUE(idle.below);
  EXPECT_EQ(idle.threshold, 64 << 20);
  EXPECT_EQ(idle.clear, idle.threshold);
  EXPECT_EQ(idle.hold, 0s);
  EXPECT_EQ(idle.severity, Severity::kWarning);
}

TEST(AlertFile, MayBeEmpty) {
  const auto file = accepted("");
  EXPECT_TRUE(file->rules.empty());
  EXPECT_EQ(file->every, 10s);
}

TEST(AlertFile, MakesRulesThatFire) {
  const auto file = accepted("[alerts.a]\nmetric = \"test_live_bytes\"\nabove = 10\n");
  std::vector<AlertStatus> statuses(file->rules.size());
  Alerts alerts(file->rules, statuses, file->every);
  alerts.sample(MadeSnapshot().add("test_live_bytes", 11).get(), 0s);
  EXPECT_EQ(alerts.statuses()[0].state, AlertState::kFiring);
}

TEST(AlertFile, NamesFileLineKeyValueAndWhatIsAccepted) {
  EXPECT_EQ(refused("every = 10\n"),
            "alerts.toml:1: every = 10: accepted is a time from \"1ms\" to \"366d\", e.g. \"10s\", "
            "\"5m\" or \"1h\"\n");
  EXPECT_EQ(refused("\n[alert.a]\n"),
            "alerts.toml:2: alert: this is not known; accepted are every and [alerts.NAME]\n");
  EXPECT_EQ(refused("[alerts.a]\nmetric = \"m\"\nabove = 1\nfor = \"5m\"\n"),
            "alerts.toml:4: alerts.a.for = \"5m\": this is no key of an alert; accepted are text, "
            "severity, metric, labels, per, per_labels, above, below, clear and hold\n");
  EXPECT_EQ(refused("[alerts.a]\nmetric = \"m\"\nabove = 1\nseverity = \"high\"\n"),
            "alerts.toml:4: alerts.a.severity = \"high\": accepted are \"notice\", \"warning\" and "
            "\"critical\"\n");
  EXPECT_EQ(refused("[alerts.a]\nmetric = \"m\"\nabove = 1\nclear = 2\n"),
            "alerts.toml:4: alerts.a.clear = 2: this is above the threshold; accepted is 1 or "
            "less\n");
  EXPECT_EQ(refused("[alerts.a]\nmetric = \"m\"\nper = \"n\"\nabove = \"5MiB\"\n"),
            "alerts.toml:4: alerts.a.above = \"5MiB\": accepted is a ratio such as 1.5 or 5%\n");
  EXPECT_EQ(refused("[alerts.a]\nabove = 1\n"),
            "alerts.toml:1: alerts.a: it has no metric; accepted is metric = NAME, the name of a "
            "metric, e.g. \"numaheap_live_bytes\"\n");
}

TEST(AlertFile, AsksForTheUnitOfAMetricThatIsRegistered) {
  static constinit Metric metric{
      .name = "test_alert_file_bytes", .help = "Registered.", .unit = Unit::kBytes};
  register_metric(metric);
  const std::string rule = "[alerts.a]\nmetric = \"test_alert_file_bytes\"\nabove = ";
  EXPECT_EQ(accepted((rule + "\"1MiB\"\n").c_str())->rules.size(), 1u);
  EXPECT_EQ(refused(rule + "\"10ms\"\n"),
            "alerts.toml:3: alerts.a.above = \"10ms\": accepted is a size such as 64MiB, or a "
            "number of bytes\n");
}

TEST(AlertFile, TellsAllMistakesAtOnce) {
  const std::string text = refused("[alerts.a]\nabove = -1\nbelow = 2\n[alerts.\"b c\"]\n");
  EXPECT_NE(text.find("alerts.a: it has no metric"), std::string::npos) << text;
  EXPECT_NE(text.find("alerts.a: it has both above and below"), std::string::npos) << text;
  EXPECT_NE(text.find("alerts.toml:4: alerts.b c: the name of an alert"), std::string::npos)
      << text;
}

TEST(AlertFile, IsRefusedWhateverIsWrongWithIt) {
  const std::string rule = "[alerts.a]\nmetric = \"m\"\n";
  for (const std::string& toml : {std::string("every"),
                                  std::string("alerts = 1"),
                                  std::string("[alerts]\na = 1"),
                                  std::string("every = \"0s\""),
                                  std::string("every = \"5\""),
                                  std::string("every = \"500d\""),
                                  rule,
                                  rule + "above = true",
                                  rule + "above = nan",
                                  rule + "above = inf",
                                  rule + "above = -1",
                                  rule + "above = \"\"",
                                  rule + "above = [1]",
                                  rule + "below = \"1 potato\"",
                                  rule + "above = 1\nhold = 5",
                                  rule + "above = 1\nhold = \"-5s\"",
                                  rule + "above = 1\nlabels = 1",
                                  rule + "above = 1\nlabels = {}",
                                  rule + "above = 1\nlabels = {a = 1.5}",
                                  rule + "above = 1\nlabels = {a = -1}",
                                  rule + "above = 1\nlabels = {a = 1, b = 1, c = 1, d = 1}",
                                  rule + "above = 1\nper_labels = {a = 1}",
                                  rule + "above = 1\nper = 5",
                                  rule + "above = 1\nper = \"\"",
                                  rule + "above = 1\ntext = 5",
                                  rule + "below = 5\nclear = 4",
                                  rule + "above = 1\nmetric = \"twice\""}) {
    const std::string text = refused(toml);
    EXPECT_TRUE(text.starts_with("alerts.toml:")) << toml << "\n" << text;
  }
}

TEST(AlertFile, ThatCannotBeReadIsNamed) {
  EXPECT_EQ(to_text(load_alerts("/no/such.toml").mistakes.at(0)),
            "/no/such.toml: the file cannot be read: No such file or directory");
  EXPECT_EQ(to_text(load_alerts("/").mistakes.at(0)), "/: the file cannot be read: Is a directory");
  const std::string path = std::filesystem::temp_directory_path() /
                           ("numaheap_alerts." + std::to_string(getpid()) + ".toml");
  std::ofstream(path) << "every = \"1s\"\n";
  const AlertFileResult result = load_alerts(path);
  std::filesystem::remove(path);
  ASSERT_NE(result.alerts, nullptr);
  EXPECT_EQ(result.alerts->every, 1s);
}

}  // namespace
}  // namespace numaheap::stats

// docs/using.md lists every rule of the doctor and shows a file of alert rules: both are what the code says.

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "numaheap/stats/alert_file.hpp"
#include "numaheap/stats/doctor.hpp"
#include "stats/quantity.hpp"

namespace numaheap::stats {
namespace {

std::string section() {
  std::ifstream file(NH_USING_PAGE);
  std::ostringstream text;
  text << file.rdbuf();
  const std::string page = text.str();
  const size_t start = page.find("\n## Doctor and alerts\n");
  if (start == std::string::npos) return "";
  return page.substr(start, page.find("\n## ", start + 1) - start);
}

/// Words with one blank between them, however the lines are wrapped.
std::string in_one_line(const std::string& text) {
  std::istringstream words(text);
  std::string line;
  for (std::string word; words >> word;) line.append(line.empty() ? "" : " ").append(word);
  return line;
}

std::string amount(double value, Unit unit) {
  char text[40];
  TextWriter out(text, sizeof text);
  write_quantity(out, value, unit);
  return text;
}

std::string documented(const RuleInfo& rule) {
  std::string text = std::string("- **`") + rule.id + "`** " + name(rule.severity) + ": " +
                     rule.value_text + (rule.below ? " below " : " above ") +
                     amount(rule.threshold, rule.unit);
  if (rule.amount_text != nullptr) {
    text += std::string(", and ") + rule.amount_text + " above " + amount(rule.least, Unit::kBytes);
  }
  return text + ". " + rule.problem + " " + rule.advice;
}

TEST(DoctorDocs, HaveEachRuleAsTheCodeHasIt) {
  const std::string docs = in_one_line(section());
  std::string all;
  for (const RuleInfo& rule : doctor_rules()) {
    all.append(all.empty() ? "" : " ").append(documented(rule));
    EXPECT_NE(docs.find(documented(rule)), std::string::npos) << "docs/using.md is to have\n"
                                                              << documented(rule);
  }
  EXPECT_NE(docs.find(all), std::string::npos) << "in this order, and nothing between them";
  size_t items = 0;
  for (size_t at = 0; (at = docs.find("- **`", at)) != std::string::npos; ++at) ++items;
  EXPECT_EQ(items, kRules) << "a rule that is no more";
}

TEST(DoctorDocs, ShowAFileOfAlertsThatIsAccepted) {
  std::istringstream lines(section());
  std::string toml;
  bool is_inside = false;
  for (std::string line; std::getline(lines, line);) {
    is_inside = is_inside || line.starts_with("    every = ");
    if (!is_inside) continue;
    if (!line.empty() && !line.starts_with("    ")) break;
    toml += line + "\n";
  }
  const AlertFileResult result = parse_alerts(toml, "docs/using.md");
  for (const AlertMistake& mistake : result.mistakes) ADD_FAILURE() << to_text(mistake);
  ASSERT_NE(result.alerts, nullptr);
  EXPECT_GE(result.alerts->rules.size(), 2u) << toml;
}

}  // namespace
}  // namespace numaheap::stats

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "made_snapshot.hpp"
#include "numaheap/stats/doctor.hpp"
#include "numaheap/stats/info.hpp"

namespace numaheap::stats {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr int64_t kMiB = 1 << 20;

/// A peak of twice what is live, 1.5 times of it resident, 40000 mappings; what a host knows is not there.
Diagnosis three_findings() {
  MadeSnapshot made;
  made.add(kLiveBytes, 100 * kMiB).add(kPeakBytes, 200 * kMiB);
  made.add(kProcessResidentBytes, 150 * kMiB);
  const KernelFacts facts{.most_maps = 65530, .maps = 40000, .swapped_bytes = 0};
  Doctor doctor;
  (void)doctor.examine(made.get(), facts, 0s);
  return doctor.examine(made.get(), facts, 200s);
}

std::string text_of(const Diagnosis& diagnosis,
                    size_t (*render)(const Diagnosis&, char*, size_t) noexcept) {
  std::string text(render(diagnosis, nullptr, 0), '?');
  EXPECT_EQ(render(diagnosis, text.data(), text.size() + 1), text.size());
  return text;
}

TEST(DoctorText, SaysWhatWasFoundInOrderOfSeverityAndThenWhatWasNotExamined) {
  const std::string text = text_of(three_findings(), render_diagnosis);
  EXPECT_EQ(text.substr(0, text.find('\n')), "3 findings; 2 rules are fine, 15 were not examined.");
  const size_t maps = text.find(
      "critical: map-count: The process has so many mappings that the kernel may soon refuse it "
      "more, which looks like being out of memory. (mappings of the process / vm.max_map_count: "
      "0.6104, above 0.5; for 3 min 20 s.) Raise it");
  const size_t rss = text.find(
      "warning: high-rss: The process takes much more memory than its data. (process resident "
      "bytes / live bytes: 1.5, above 1.4; the difference: 50 MiB, above 10 MiB; for 3 min 20 s.)");
  const size_t peak = text.find("notice: big-peak: ");
  const size_t rest = text.find("not examined: ");
  ASSERT_NE(maps, std::string::npos) << text;
  ASSERT_NE(rss, std::string::npos) << text;
  EXPECT_LT(maps, rss);
  EXPECT_LT(rss, peak);
  EXPECT_LT(peak, rest);
  EXPECT_NE(text.find("not examined: scripts: numaheap_host_scripts: it has no sample.\n"),
            std::string::npos)
      << text;
}

TEST(DoctorText, NamesAllRulesThatOneReasonHoldsBackOnOneLine) {
  Thresholds thresholds;
  thresholds[Rule::kScripts].is_on = false;
  MadeSnapshot made;
  made.add(kLiveBytes, 1000);
  const std::string text = text_of(
      Doctor(thresholds).examine(made.get(), KernelFacts{.memory_nodes = 1}, 0s), render_diagnosis);
  EXPECT_NE(text.find("\nnot examined: big-peak, high-rss, allocator-fragmentation, "),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\nnot examined: scripts: it is switched off.\n"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1 + 1 + 1 + 1 + 2)
      << "what is found, two reasons, two figures\n"
      << text;
}

TEST(DoctorText, AsJsonHasEveryRuleWithItsVerdict) {
  const json rules = json::parse(text_of(three_findings(), render_diagnosis_json))["rules"];
  ASSERT_EQ(rules.size(), kRules);
  const json& peak = rules[static_cast<size_t>(Rule::kBigPeak)];
  EXPECT_EQ(peak["id"], "big-peak");
  EXPECT_EQ(peak["verdict"], "found");
  EXPECT_EQ(peak["severity"], "notice");
  EXPECT_EQ(peak["unit"], "ratio");
  EXPECT_EQ(peak["found_if"], "above");
  EXPECT_EQ(peak["value"], 2.0);
  EXPECT_EQ(peak["threshold"], 1.5);
  EXPECT_EQ(peak["held_seconds"], 200.0);
  EXPECT_FALSE(peak["advice"].empty());
  const json& rss = rules[static_cast<size_t>(Rule::kHighRss)];
  EXPECT_EQ(rss["bytes"], 50 * kMiB);
  EXPECT_EQ(rss["least_bytes"], 10 * kMiB);
  const json& scripts = rules[static_cast<size_t>(Rule::kScripts)];
  EXPECT_EQ(scripts["verdict"], "not examined");
  EXPECT_EQ(scripts["missing"], "numaheap_host_scripts");
  EXPECT_FALSE(scripts.contains("value"));
}

TEST(DoctorText, IsCutAtTheEndOfTheBuffer) {
  const Diagnosis diagnosis = three_findings();
  for (auto* render : {render_diagnosis, render_diagnosis_json}) {
    const std::string whole = text_of(diagnosis, render);
    for (size_t size = 1; size < whole.size() + 2; size += 7) {
      std::vector<char> buffer(size + 1, '#');
      EXPECT_EQ(render(diagnosis, buffer.data(), size), whole.size());
      EXPECT_EQ(std::string(buffer.data()), whole.substr(0, size - 1));
      EXPECT_EQ(buffer[size], '#');
    }
  }
}

TEST(DoctorText, SaysOnlyHowManyRulesAreFineIfAllAre) {
  Diagnosis diagnosis = three_findings();
  for (Finding& finding : diagnosis.findings) finding.verdict = Verdict::kFine;
  EXPECT_EQ(text_of(diagnosis, render_diagnosis),
            "0 findings; 20 rules are fine, 0 were not examined.\n");
}

}  // namespace
}  // namespace numaheap::stats

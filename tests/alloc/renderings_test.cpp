// The heap's own snapshot in every rendering, read back by programs that are not ours where the machine has them.

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "numaheap/alloc.hpp"
#include "numaheap/malloc_stats.h"
#include "numaheap/stats/host_figures.hpp"
#include "numaheap/stats/info.hpp"
#include "numaheap/stats/json.hpp"
#include "numaheap/stats/memory_stats.hpp"
#include "numaheap/stats/openmetrics.hpp"
#include "numaheap/stats/table.hpp"
#include "skip.hpp"
#include "stats/openmetrics_parser.hpp"

namespace numaheap {
namespace {

using stats::HostEmitter;
using stats::HostFigure;

/// A server that gives all of its figures, and a heap that holds something.
class Renderings : public testing::Test {
 protected:
  Renderings() {
    stats::register_host_figures(
        [](void*, HostEmitter& out) noexcept {
          for (size_t i = 0; i < stats::kHostFigures; ++i)
            out.set(static_cast<HostFigure>(i), static_cast<int64_t>(i) + 1);
          out.database(0, 100, 10);
          out.maxmemory_policy("noeviction");
        },
        nullptr);
    for (size_t size = 16; size < 100'000; size += size / 2) blocks_.push_back(allocate(size));
    taken_ = stats::take_snapshot(samples(), stats::Detail::kPerThread);
    find_absent(taken_, stats::Detail::kPerThread, absences_);
  }
  ~Renderings() override {
    for (void* block : blocks_) deallocate(block);
  }
  [[nodiscard]] std::string rendered(size_t (*render)(const stats::Snapshot&, char*,
                                                      size_t)) const {
    std::string text(render(taken_, nullptr, 0), '?');
    EXPECT_EQ(render(taken_, text.data(), text.size() + 1), text.size());
    return text;
  }
  [[nodiscard]] const stats::Snapshot& taken() const { return taken_; }

 private:
  static std::span<stats::Sample> samples() {
    static std::array<stats::Sample, 1 << 16> memory;
    return memory;
  }
  std::vector<void*> blocks_;
  std::array<stats::Absence, 512> absences_;
  stats::Snapshot taken_;
};

/// A file for the length of a scope.
class File {
 public:
  explicit File(const std::string& text) {
    const int file = mkstemp(path_.data());
    if (file >= 0) close(file);
    std::ofstream(path_) << text;
  }
  ~File() { unlink(path_.c_str()); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = testing::TempDir() + "numaheap-rendering-XXXXXX";
};

struct Outcome {
  int status;
  std::string output;
};

Outcome run(const std::string& command) {
  Outcome outcome{-1, ""};
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return outcome;
  char piece[4096];
  for (size_t length; (length = fread(piece, 1, sizeof piece, pipe)) > 0;)
    outcome.output.append(piece, length);
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

TEST_F(Renderings, OpenMetricsAreWellFormedAndHaveEverySample) {
  const stats::tests::OpenMetricsParser parsed(rendered(stats::render_openmetrics));
  const std::set<std::string> about_the_snapshot = {"numaheap_sample_age_seconds",
                                                    "numaheap_snapshot_scan_seconds"};
  size_t samples = 0;
  for (const auto& [name, family] : parsed.families) {
    EXPECT_FALSE(family.type.empty()) << name;
    EXPECT_FALSE(family.help.empty()) << name;
    if (!name.starts_with("redis_") && about_the_snapshot.count(name) == 0)
      samples += family.samples.size();
  }
  EXPECT_EQ(samples, taken().samples.size());
  EXPECT_EQ(parsed.families.at("redis_memory_used_startup_bytes").samples.begin()->second, 1);
}

TEST_F(Renderings, ThePrometheusClientsParserReadsTheOpenMetrics) {
  std::string python;
  for (const char* candidate : {"python3", "/usr/bin/python3"}) {
    const std::string command =
        std::string(candidate) + " -c 'import prometheus_client.openmetrics.parser'";
    if (python.empty() && run(command).status == 0) python = candidate;
  }
  if (python.empty()) NH_SKIP("python3-prometheus-client is not installed");
  const File file(rendered(stats::render_openmetrics));
  const Outcome outcome =
      run(python +
          " -c 'import sys; from prometheus_client.openmetrics.parser import "
          "text_string_to_metric_families as parse; "
          "print(sum(len(f.samples) for f in parse(open(sys.argv[1]).read())))' " +
          file.path());
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const stats::tests::OpenMetricsParser parsed(rendered(stats::render_openmetrics));
  size_t samples = 0;
  for (const auto& [name, family] : parsed.families) samples += family.samples.size();
  EXPECT_EQ(std::stoull(outcome.output), samples);
}

TEST_F(Renderings, PromtoolFindsNothingWrongWithTheOlderFormat) {
  if (run("promtool --version").status != 0)
    NH_SKIP("promtool (package prometheus) is not installed");
  const File file(rendered(stats::render_prometheus));
  const Outcome outcome = run("promtool check metrics < " + file.path());
  // redis_exporter's own name, kept for its dashboards.
  const std::string known =
      "redis_memory_used_vm_total non-counter metrics should not have \"_total\" suffix\n";
  EXPECT_EQ(outcome.output, known);
}

TEST_F(Renderings, JsonHasEverySampleAndEveryAbsence) {
  const nlohmann::json document = nlohmann::json::parse(rendered(stats::render_json));
  EXPECT_EQ(document["samples"].size(), taken().samples.size());
  std::set<std::string> names;
  for (const auto& sample : document["samples"]) names.insert(sample["name"]);
  for (const auto& absence : document["absent"]) {
    EXPECT_FALSE(absence["why"].get<std::string>().empty());
    EXPECT_TRUE(names.insert(absence["name"]).second) << absence << " is there and is not";
  }
  EXPECT_EQ(names.size(), stats::registered_metrics());
}

TEST_F(Renderings, TheTableHasALineForEach) {
  const std::string text = rendered(stats::render_table);
  const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  EXPECT_EQ(lines, taken().samples.size() + taken().absent.size() + 5) << text;
}

TEST_F(Renderings, MallocStatsLeaveOutWhatTheOptionsSay) {
  const auto printed = [](const char* options) {
    std::string text;
    nh_malloc_stats_print(
        [](void* context, const char* piece) { *static_cast<std::string*>(context) += piece; },
        &text, options);
    return text;
  };
  const std::string all = printed(nullptr);
  EXPECT_EQ(all.find("___ Begin numaheap statistics ___\n"), 0u) << all;
  EXPECT_TRUE(all.ends_with("--- End numaheap statistics ---\n")) << all;
  for (const char* part : {"\nnumaheap ", "\nall: live ", "\narena 0: ", "\nbins: "})
    EXPECT_NE(all.find(part), std::string::npos) << part << " is missing in\n" << all;
  EXPECT_EQ(printed("g").find("\nnumaheap "), std::string::npos);
  EXPECT_EQ(printed("m").find("\nall: "), std::string::npos);
  EXPECT_EQ(printed("a").find("\narena "), std::string::npos);
  EXPECT_EQ(printed("b").find("\nbins: "), std::string::npos);
}

TEST_F(Renderings, InfoAndMemoryStatsTellTheSame) {
  const std::string info = rendered(stats::render_info);
  const std::string stats = rendered(stats::render_memory_stats);
  const auto number = [](const std::string& text, const std::string& key) {
    const size_t at = text.find("\n" + key + ":");
    EXPECT_NE(at, std::string::npos) << key << " is missing in\n" << text;
    return at == std::string::npos ? -1 : std::stoll(text.substr(at + key.size() + 2));
  };
  const std::vector<std::pair<std::string, std::string>> names = {
      {"used_memory", "total.allocated"},
      {"used_memory_startup", "startup.allocated"},
      {"used_memory_overhead", "overhead.total"},
      {"used_memory_dataset", "dataset.bytes"},
      {"allocator_active", "allocator.active"},
      {"allocator_frag_bytes", "allocator-fragmentation.bytes"},
      {"mem_clients_normal", "clients.normal"},
      {"mem_fragmentation_bytes", "fragmentation.bytes"}};
  for (const auto& [field, key] : names)
    EXPECT_EQ(number(info, field), number(stats, key)) << field;
}

}  // namespace
}  // namespace numaheap

// Prints docs/metrics.md: every metric that a process can have, from the registry's own texts.

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "numaheap/alloc.hpp"
#include "numaheap/numa/bandwidth_meter.hpp"
#include "numaheap/stats/alert.hpp"
#include "numaheap/stats/host_figures.hpp"
#include "numaheap/stats/registry.hpp"
#include "stats/redis_figures.hpp"

namespace {

using namespace numaheap::stats;

constexpr size_t kWidth = 120;

/// Prints words in lines of at most kWidth, those after the first indented.
void print_wrapped(const std::string& text, const std::string& indent) {
  std::string line;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (line.size() + 1 + word.size() > kWidth) {
      std::printf("%s\n", line.c_str());
      line = indent + word;
    } else {
      line += (line.empty() ? "" : " ") + word;
    }
    at = end + 1;
  }
  std::printf("%s\n", line.c_str());
}

void print(const Metric& metric) {
  std::string text = std::string("- **`") + metric.name;
  for (size_t i = 0; i < metric.label_count(); ++i)
    text += std::string(i == 0 ? "{" : ",") + metric.label_keys[i];
  text += std::string(metric.label_count() == 0 ? "" : "}") + "`** ";
  if (metric.type != Type::kInfo) text += std::string(name(metric.unit)) + ", ";
  text += std::string(name(metric.type)) + ", " + name(metric.source) + ". " + metric.help;
  if (metric.notes != nullptr) text += std::string(" ") + metric.notes;
  print_wrapped(text, "  ");
}

bool is_host(const Metric& metric) { return metric.source == Source::kHost; }

template <class Belongs>
void print_section(const char* title, const char* about, Belongs belongs) {
  std::printf("\n## %s\n\n", title);
  print_wrapped(about, "");
  std::printf("\n");
  for (const Metric* metric = first_metric(); metric != nullptr; metric = next_metric(*metric))
    if (belongs(*metric)) print(*metric);
}

std::string cell(const char* prefix, const char* text) {
  if (text == nullptr) return "";
  std::string result(1, '`');
  result.append(prefix).append(text);
  return result + '`';
}

void print_redis() {
  std::printf("\n## Redis' figures\n\n");
  print_wrapped(
      "Computed from the metrics below. A figure is there when all that it is computed from is "
      "there; sums are over "
      "all nodes. INFO has ratios with two decimals, percentages with a percent sign, and *_human "
      "beside some.",
      "");
  std::printf(
      "\n| INFO memory | MEMORY STATS | OpenMetrics | meaning |\n| --- | --- | --- | --- |\n");
  for (const RedisName& name : redis_names()) {
    std::printf("| %s | %s | %s | %s |\n", cell("", name.field).c_str(), cell("", name.key).c_str(),
                cell("redis_", name.exported).c_str(), name.meaning);
  }
}

}  // namespace

int main() {
  numaheap::deallocate(numaheap::allocate(1));  // the first allocation registers the heap's
  register_host_figures([](void*, HostEmitter&) noexcept {}, nullptr);
  (void)Alerts({}, {}, std::chrono::seconds(1)).export_metric();
  // With what every machine has, so that the page is the same on all.
  using numaheap::numa::BandwidthMeter;
  auto meter = BandwidthMeter::start({}, {.best = numaheap::numa::BandwidthSource::kOwnBooks});
  (void)meter.export_metrics();

  std::printf("# Metrics\n\n");
  print_wrapped(
      "Made by `nh_metrics_page` from the texts in the code; a test keeps it so. To change it, "
      "change those, then run "
      "`build/release/bin/nh_metrics_page > docs/metrics.md`.",
      "");
  std::printf("\n");
  print_wrapped(
      "Each metric: its labels, unit, type and source; what it is; what it leaves out and what to "
      "do about it. "
      "Sources: *own books* are counted by the heap, exact when nothing runs; *kernel* was asked "
      "of it; *hardware* is "
      "a counter of the CPU; *host* was told by the server; an *estimate* is sampled or derived. A "
      "metric that cannot "
      "be had now has no sample, never a 0; the table for people says why.",
      "");
  std::printf("\n");
  print_wrapped(
      "The same figures go by other names in two renderings. INFO: without the prefix and without "
      "`_bytes`, the node in "
      "front, as in `numaheap_node0_live`. OpenMetrics: counters end with `_total`, infos with "
      "`_info`; times are in "
      "seconds and millionths are ratios.",
      "");
  print_redis();
  print_section("The heap, its nodes and the process",
                "Label node: a NUMA node as numactl(8) numbers it, or \"interleaved\" or "
                "\"weighted\" for memory that "
                "is spread over nodes.",
                [](const Metric& m) { return m.detail == Detail::kSummary && !is_host(m); });
  print_section("By size class", "Only in snapshots of Detail::kPerClass and more.",
                [](const Metric& m) { return m.detail == Detail::kPerClass; });
  print_section(
      "By thread",
      "Only in snapshots of Detail::kPerThread. Not for scrapes: series come and go with threads.",
      [](const Metric& m) { return m.detail == Detail::kPerThread; });
  print_section("What the server gives",
                "Once it has called register_host_figures() (stats/host_figures.hpp); each as far "
                "as it gives it.",
                is_host);
  return 0;
}

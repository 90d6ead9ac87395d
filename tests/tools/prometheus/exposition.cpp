// Prints what a scrape of this process gives (OpenMetrics), and then, as comments, each registered metric as a scrape
// would have it where it can be had: "#metric NAME LABEL,LABEL". For shipped_files_test.py.

#include <array>
#include <chrono>
#include <cstdio>
#include <string>

#include "numaheap/alloc.hpp"
#include "numaheap/limits.hpp"
#include "numaheap/stats/alert.hpp"
#include "numaheap/stats/openmetrics.hpp"
#include "numaheap/stats/registry.hpp"

using namespace numaheap;

int main() {
  void* block = allocate(1000);
  if (!set_limit(LimitKind::kLive, {.soft = GiB(64), .hard = GiB(128)})) return 1;
  constexpr stats::AlertRule kRule{
      .name = "any", .figure = {.metric = "numaheap_live_bytes"}, .threshold = 1, .clear = 1};
  static std::array<stats::Sample, 1 << 14> memory;
  stats::AlertStatus status;
  stats::Alerts alerts({&kRule, 1}, {&status, 1}, std::chrono::seconds(1));
  if (!alerts.export_metric()) return 1;
  alerts.sample(stats::take_snapshot(memory), std::chrono::seconds(0));

  const stats::Snapshot snapshot = stats::take_snapshot(memory, stats::Detail::kPerClass);
  std::string text(stats::render_openmetrics(snapshot, nullptr, 0), '\0');
  stats::render_openmetrics(snapshot, text.data(), text.size() + 1);
  std::fputs(text.c_str(), stdout);
  for (const auto* metric = stats::first_metric(); metric != nullptr;
       metric = stats::next_metric(*metric)) {
    const char* suffix = metric->type == stats::Type::kCounter ? "_total"
                         : metric->type == stats::Type::kInfo  ? "_info"
                                                               : "";
    std::printf("#metric %s%s ", metric->name, suffix);
    for (size_t i = 0; i < metric->label_count(); ++i)
      std::printf("%s%s", i == 0 ? "" : ",", metric->label_keys[i]);
    std::printf("\n");
  }
  deallocate(block);
  return 0;
}

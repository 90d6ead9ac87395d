#include "exported_pages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "numaheap/stats/json.hpp"
#include "numaheap/stats/openmetrics.hpp"

namespace numaheap::cli {

namespace {

using stats::ForeignSnapshot;
using stats::Snapshot;

constexpr char kTextType[] = "text/plain; charset=utf-8";
constexpr char kJsonType[] = "application/json";

using Render = size_t (*)(const Snapshot& snapshot, char* buffer, size_t size) noexcept;

std::string rendered(Render render, const Snapshot& snapshot) {
  std::string text(render(snapshot, nullptr, 0), 0);
  render(snapshot, text.data(), text.size() + 1);
  return text;
}

/// A scrape's snapshot: series that come and go with threads would fill the store of whoever scrapes.
Page scraped(const Snapshot& whole, Render render, const char* type) {
  std::vector<stats::Sample> samples;
  std::copy_if(whole.samples.begin(), whole.samples.end(), std::back_inserter(samples),
               [](const stats::Sample& sample) {
                 return sample.metric->detail <= stats::Detail::kPerClass;
               });
  Snapshot snapshot = whole;
  snapshot.samples = samples;
  return {200, type, rendered(render, snapshot)};
}

}  // namespace

Page ExportedPages::unavailable(const Error& error) const {
  return {503, kTextType, fmt::format("process {}: {}\n", who_, error.text)};
}

Page ExportedPages::page(std::string_view path, std::string_view accept) {
  const bool is_metrics = path == "/metrics";
  if (!is_metrics && path != "/json")
    return {404, kTextType, "There is no such page; there are /metrics and /json.\n"};
  const std::lock_guard lock(mutex_);
  const Result<std::unique_ptr<ForeignSnapshot>> read = view_.read();
  if (!read) return unavailable(read.error());
  const Snapshot& snapshot = (*read)->snapshot();
  if (!is_metrics) return {200, kJsonType, rendered(stats::render_json, snapshot)};
  return accept.find("application/openmetrics-text") != std::string_view::npos
             ? scraped(snapshot, stats::render_openmetrics, stats::kOpenMetricsContentType)
             : scraped(snapshot, stats::render_prometheus, stats::kPrometheusContentType);
}

bool ExportedPages::process_ended(std::string& why) {
  const std::lock_guard lock(mutex_);
  if (!view_.has_ended()) return false;
  why = fmt::format("process {} has ended", who_);
  return true;
}

}  // namespace numaheap::cli

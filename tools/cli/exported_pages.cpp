#include "exported_pages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "heap_map_page.hpp"
#include "map_json.hpp"
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

Page ExportedPages::unavailable(const Error& error, bool as_json) const {
  const std::string sentence = fmt::format("process {}: {}", who_, error.text);
  if (!as_json) return {503, kTextType, sentence + "\n"};
  const nlohmann::json json = {{"error", sentence}, {"ended", view_.has_ended()}};
  return {503, kJsonType,
          json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n"};
}

Page ExportedPages::page(std::string_view path, std::string_view accept) {
  if (path == "/") return {200, "text/html; charset=utf-8", kHeapMapPage};
  const bool is_metrics = path == "/metrics";
  if (!is_metrics && path != "/json" && path != "/map")
    return {404, kTextType, "There is no such page; there are /, /map, /metrics and /json.\n"};
  const std::lock_guard lock(mutex_);
  if (path == "/map") {
    const Result<std::vector<stats::ForeignMap>> maps = view_.read_map();
    return maps ? Page{200, kJsonType, render_maps(*maps)} : unavailable(maps.error(), true);
  }
  const Result<std::unique_ptr<ForeignSnapshot>> read = view_.read();
  if (!read) return unavailable(read.error(), !is_metrics);
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

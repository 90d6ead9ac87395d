#include "top_frame.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "numaheap/stats/doctor_metrics.hpp"
#include "numaheap/stats/info.hpp"

namespace numaheap::cli {

namespace {

using stats::Label;
using stats::Sample;
using stats::Snapshot;
using stats::Type;

std::string text_of(const Label& label) {
  switch (label.kind()) {
    case Label::Kind::kNone:
      return "";
    case Label::Kind::kNumber:
      return std::to_string(label.number());
    case Label::Kind::kText:
      return label.text();
  }
  return "";
}

/// The value of a sample's label, by its key; empty if the metric has none of that name.
std::string label_of(const Sample& sample, const char* key) {
  for (size_t i = 0; i < sample.metric->label_count(); ++i) {
    if (std::strcmp(sample.metric->label_keys[i], key) == 0) return text_of(sample.labels[i]);
  }
  return "";
}

std::string bytes_text(double bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t i = 0;
  for (; i + 1 < std::size(kUnits) && std::abs(bytes) >= 1024; ++i) bytes /= 1024;
  return i == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[i]);
}

std::string duration_text(std::chrono::nanoseconds duration) {
  const auto ns = static_cast<double>(duration.count());
  if (ns < 1e6) return fmt::format("{:.0f} us", ns / 1e3);
  return ns < 1e9 ? fmt::format("{:.0f} ms", ns / 1e6) : fmt::format("{:.1f} s", ns / 1e9);
}

std::string name_of(const Sample& sample) {
  std::string name = sample.metric->name;
  for (size_t i = 0; i < sample.metric->label_count(); ++i) name += "," + text_of(sample.labels[i]);
  return name;
}

class Frame {
 public:
  Frame(const TopInput& input, TopTotals& last) : input_(input), last_(last) {
    for (const Sample& sample : input.snapshot.samples) {
      if (sample.metric->type == Type::kCounter) now_.counters[name_of(sample)] = sample.value;
      if (std::strcmp(sample.metric->name, stats::kLiveBytes) == 0)
        nodes_.push_back(label_of(sample, "node"));
    }
    now_.at = input.at;
  }

  std::vector<std::string> lines() {
    head();
    nodes();
    classes();
    background();
    // A snapshot that was seen before tells no rates: those of the last one stand until there is a new one.
    if (now_.at > last_.at) last_ = std::move(now_);
    return std::move(lines_);
  }

 private:
  void head() {
    const auto total = [&](const char* name) {
      int64_t sum = 0;
      return input_.snapshot.sum(name, sum) ? bytes_text(static_cast<double>(sum)) : "-";
    };
    lines_.push_back(fmt::format("{}   published {} ago, read in {}", input_.title,
                                 duration_text(input_.age), duration_text(input_.snapshot.scan)));
    int64_t live = 0;
    int64_t resident = 0;
    const bool ratio = input_.snapshot.sum(stats::kLiveBytes, live) &&
                       input_.snapshot.sum(stats::kProcessResidentBytes, resident) && live > 0;
    int64_t threads = 0;
    if (!input_.snapshot.sum("numaheap_threads", threads)) threads = 0;
    lines_.push_back(fmt::format(
        "live {}, peak {}, resident {} ({}), {} threads with a cache", total(stats::kLiveBytes),
        total(stats::kPeakBytes), total(stats::kProcessResidentBytes),
        ratio ? fmt::format("{:.2f} of live",
                            static_cast<double>(resident) / static_cast<double>(live))
              : "-",
        threads));
    lines_.emplace_back();
  }

  /// The sum of a metric's samples of one node, of one tier if that is named.
  std::optional<double> of_node(const char* metric, const std::string& node,
                                const char* tier = "") {
    std::optional<double> sum;
    for (const Sample& sample : input_.snapshot.samples) {
      if (std::strcmp(sample.metric->name, metric) != 0 || label_of(sample, "node") != node)
        continue;
      if (*tier != 0 && label_of(sample, "tier") != tier) continue;
      sum = sum.value_or(0) + static_cast<double>(sample.value);
    }
    return sum;
  }
  /// The same of a counter, per second since the last frame.
  std::optional<double> rate_of_node(const char* metric, const std::string& node) {
    const double seconds = std::chrono::duration<double>(now_.at - last_.at).count();
    if (last_.at.count() == 0 || seconds <= 0) return std::nullopt;
    std::optional<double> sum;
    for (const Sample& sample : input_.snapshot.samples) {
      if (std::strcmp(sample.metric->name, metric) != 0 || label_of(sample, "node") != node)
        continue;
      const auto before = last_.counters.find(name_of(sample));
      if (before == last_.counters.end()) continue;
      sum = sum.value_or(0) + static_cast<double>(sample.value - before->second) / seconds;
    }
    return sum;
  }

  template <class Value>
  void node_row(const char* title, Value value) {
    std::string line = fmt::format("{:<22}", title);
    for (const std::string& node : nodes_) line += fmt::format("{:>14}", value(node));
    lines_.push_back(line);
  }
  void node_bytes(const char* title, const char* metric, const char* tier = "") {
    node_row(title, [&](const std::string& node) {
      const auto bytes = of_node(metric, node, tier);
      return bytes ? bytes_text(*bytes) : "-";
    });
  }
  void node_rate(const char* title, const char* metric) {
    node_row(title, [&](const std::string& node) {
      const auto rate = rate_of_node(metric, node);
      return rate ? bytes_text(*rate) + "/s" : "-";
    });
  }

  void nodes() {
    node_row("node", [](const std::string& node) { return node; });
    node_bytes("live", stats::kLiveBytes);
    node_bytes("cached by threads", stats::kCachedBytes, "thread");
    node_bytes("cached by the node", stats::kCachedBytes, "node");
    node_bytes("slabs and blocks", stats::kActiveBytes);
    node_bytes("free slots in slabs", stats::kFragmentedBytes);
    node_bytes("free, resident", "numaheap_free_dirty_bytes");
    node_bytes("resident", stats::kRangeResidentBytes);
    node_row("local share", [&](const std::string& node) {
      const auto here = of_node(stats::kRangeResidentBytes, node);
      const auto elsewhere = of_node(stats::kRangeElsewhereBytes, node);
      if (!here || !elsewhere || *here <= 0) return std::string("-");
      return fmt::format("{:.1f} %", 100 * (1 - *elsewhere / *here));
    });
    node_bytes("bandwidth, per second", stats::kBandwidth);
    node_rate("freed from elsewhere", stats::kFreedRemoteBytes);
    node_rate("spilled to here", stats::kSpilledBytes);
    node_rate("purged", "numaheap_purged_bytes");
    lines_.emplace_back();
  }

  void classes() {
    struct Row {
      double live = 0;
      double cached = 0;
    };
    std::map<int64_t, Row> rows;
    for (const Sample& sample : input_.snapshot.samples) {
      const bool live = std::strcmp(sample.metric->name, "numaheap_class_live_blocks") == 0;
      const bool cached = std::strcmp(sample.metric->name, "numaheap_class_cached_blocks") == 0;
      if (!live && !cached) continue;
      const int64_t size = std::atoll(label_of(sample, "block_bytes").c_str());
      if (size == 0) continue;  // blocks of no class have no size in common
      Row& row = rows[size];
      (live ? row.live : row.cached) += static_cast<double>(sample.value);
    }
    std::vector<std::pair<int64_t, Row>> sorted(rows.begin(), rows.end());
    const auto bytes = [](const auto& row) {
      return static_cast<double>(row.first) * (row.second.live + row.second.cached);
    };
    std::sort(sorted.begin(), sorted.end(),
              [&](const auto& a, const auto& b) { return bytes(a) > bytes(b); });
    constexpr size_t kMostClasses = 12;
    if (sorted.size() > kMostClasses) sorted.resize(kMostClasses);
    lines_.push_back(fmt::format("{:<12}{:>14}{:>14}{:>14}{:>12}", "class", "live blocks", "live",
                                 "cached", "idle"));
    for (const auto& [size, row] : sorted) {
      const auto block = static_cast<double>(size);
      const double all = row.live + row.cached;
      lines_.push_back(
          fmt::format("{:<12}{:>14.0f}{:>14}{:>14}{:>12}", bytes_text(block), row.live,
                      bytes_text(block * row.live), bytes_text(block * row.cached),
                      all > 0 ? fmt::format("{:.1f} %", 100 * row.cached / all) : "-"));
    }
    lines_.emplace_back();
  }

  void background() {
    int64_t backlog = 0;
    int64_t objects = 0;
    if (input_.snapshot.sum(stats::kLazyfreePendingBytes, backlog) &&
        input_.snapshot.sum(stats::kLazyfreePendingObjects, objects))
      lines_.push_back(fmt::format("lazy release: {} objects, {} pending", objects,
                                   bytes_text(static_cast<double>(backlog))));
    double moved = 0;
    bool moves = false;
    for (const std::string& node : nodes_) {
      const auto rate = rate_of_node(stats::kDefragMovedBytes, node);
      moves = moves || rate;
      moved += rate.value_or(0);
    }
    if (moves) lines_.push_back(fmt::format("defrag: {}/s moved", bytes_text(moved)));
    for (const auto& absence : input_.snapshot.absent) {
      if (std::strcmp(absence.metric->name, stats::kRangeResidentBytes) == 0 ||
          std::strcmp(absence.metric->name, stats::kActiveBytes) == 0)
        lines_.push_back(fmt::format("{} is not available: {}", absence.metric->name, absence.why));
    }
  }

  const TopInput& input_;
  TopTotals& last_;
  TopTotals now_;
  std::vector<std::string> nodes_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> top_frame(const TopInput& input, TopTotals& last) {
  return Frame(input, last).lines();
}

}  // namespace numaheap::cli

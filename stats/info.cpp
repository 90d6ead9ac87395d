#include "numaheap/stats/info.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include "text_writer.hpp"

namespace numaheap::stats {

namespace {

using std::string_view;

class InfoWriter {
 public:
  InfoWriter(const Snapshot& snapshot, TextWriter& out) : snapshot_(snapshot), out_(out) {}

  [[nodiscard]] std::optional<int64_t> sum(string_view metric) const {
    int64_t value = 0;
    return snapshot_.sum(metric, value) ? std::optional(value) : std::nullopt;
  }

  void number(string_view field, std::optional<int64_t> value) {
    if (value) out_.text(field).text(":").number(*value).text("\r\n");
  }
  void bytes_and_human(string_view field, std::optional<int64_t> value) {
    number(field, value);
    if (value) out_.text(field).text("_human:").human(*value).text("\r\n");
  }
  void percentage(string_view field, std::optional<int64_t> part, std::optional<int64_t> whole) {
    if (part && whole && *whole > 0) {
      out_.text(field).text(":").quotient(*part * 100, *whole).text("%\r\n");
    }
  }
  /// `name`_ratio = part / whole and `name`_bytes = part - whole.
  void ratio_and_bytes(string_view ratio_field, string_view bytes_field,
                       std::optional<int64_t> part, std::optional<int64_t> whole) {
    if (!part || !whole) return;
    if (*whole > 0) out_.text(ratio_field).text(":").quotient(*part, *whole).text("\r\n");
    number(bytes_field, *part - *whole);
  }

 private:
  const Snapshot& snapshot_;
  TextWriter& out_;
};

std::optional<int64_t> add(std::optional<int64_t> a, std::optional<int64_t> b) {
  return a && b ? std::optional(*a + *b) : std::nullopt;
}

void write_redis_fields(const Snapshot& snapshot, TextWriter& out) {
  InfoWriter info(snapshot, out);
  const auto live = info.sum(kLiveBytes);
  const auto process_resident = info.sum(kProcessResidentBytes);
  const auto peak = info.sum(kPeakBytes);
  const auto allocated = info.sum(kAllocatedBytes);
  const auto active = info.sum(kActiveBytes);
  const auto resident = info.sum(kResidentBytes);
  const auto fragmented = info.sum(kFragmentedBytes);

  info.bytes_and_human("used_memory", live);
  info.bytes_and_human("used_memory_rss", process_resident);
  info.bytes_and_human("used_memory_peak", peak);
  info.number("used_memory_peak_time", info.sum(kPeakTime));
  info.percentage("used_memory_peak_perc", live, peak);
  info.number("allocator_allocated", allocated);
  info.number("allocator_active", active);
  info.number("allocator_resident", resident);
  info.number("allocator_muzzy", info.sum(kMuzzyBytes));
  info.bytes_and_human("total_system_memory", info.sum(kSystemMemoryBytes));
  info.bytes_and_human("maxmemory", info.sum(kHardLimitBytes));
  info.ratio_and_bytes("allocator_frag_ratio", "allocator_frag_bytes", add(allocated, fragmented),
                       allocated);
  info.ratio_and_bytes("allocator_rss_ratio", "allocator_rss_bytes", resident, active);
  info.ratio_and_bytes("rss_overhead_ratio", "rss_overhead_bytes", process_resident, resident);
  info.ratio_and_bytes("mem_fragmentation_ratio", "mem_fragmentation_bytes", process_resident,
                       live);
}

constexpr string_view kReadForRedis[] = {
    kLiveBytes,       kPeakBytes,         kPeakTime,       kProcessResidentBytes,
    kAllocatedBytes,  kActiveBytes,       kResidentBytes,  kMuzzyBytes,
    kFragmentedBytes, kSystemMemoryBytes, kHardLimitBytes,
};

/// Whether all that the metric says is in Redis' fields: those with a label say more than their sum.
bool shown_already(const Metric& metric) {
  if (metric.label_count() != 0) return false;
  return std::find(std::begin(kReadForRedis), std::end(kReadForRedis), metric.name) !=
         std::end(kReadForRedis);
}

void write_label(TextWriter& out, const Label& label) {
  if (label.kind() == Label::Kind::kNumber) out.number(static_cast<int64_t>(label.number()));
  if (label.kind() == Label::Kind::kText) out.text(label.text());
}

string_view stem(const Metric& metric) {
  constexpr string_view kPrefix = "numaheap_";
  constexpr string_view kSuffix = "_bytes";
  string_view name = metric.name;
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  if (name.ends_with(kSuffix)) name.remove_suffix(kSuffix.size());
  return name;
}

/// `numaheap_[node<N>_]<stem>[_<other labels>]:<value>`
void write_own_field(TextWriter& out, const Sample& sample) {
  const Metric& metric = *sample.metric;
  out.text("numaheap_");
  const bool by_node =
      metric.label_keys[0] != nullptr && string_view(metric.label_keys[0]) == "node";
  if (by_node) {
    if (sample.labels[0].kind() == Label::Kind::kNumber) out.text("node");
    write_label(out, sample.labels[0]);
    out.text("_");
  }
  out.text(stem(metric));
  for (size_t i = by_node ? 1 : 0; i < metric.label_count(); ++i) {
    out.text("_");
    write_label(out, sample.labels[i]);
  }
  out.text(":");
  if (metric.unit == Unit::kMillionths) {
    out.quotient(sample.value, 1'000'000);
  } else {
    out.number(sample.value);
  }
  out.text("\r\n");
}

}  // namespace

size_t render_info(const Snapshot& snapshot, char* buffer, size_t size) noexcept {
  TextWriter out(buffer, size);
  out.text("# Memory\r\n");
  write_redis_fields(snapshot, out);
  for (const Sample& sample : snapshot.samples) {
    const Metric& metric = *sample.metric;
    if (metric.type == Type::kInfo) {
      if (string_view(metric.name) != kBuild) continue;
      for (size_t i = 0; i < metric.label_count(); ++i) {
        if (string_view(metric.label_keys[i]) != "version") continue;
        out.text("mem_allocator:");
        write_label(out, sample.labels[i]);
        out.text("\r\n");
      }
    } else if (metric.detail == Detail::kSummary && !shown_already(metric)) {
      write_own_field(out, sample);
    }
  }
  return out.length();
}

}  // namespace numaheap::stats

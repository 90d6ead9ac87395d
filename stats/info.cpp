#include "numaheap/stats/info.hpp"

#include <string_view>

#include "escaped_text.hpp"
#include "numaheap/stats/host_figures.hpp"
#include "redis_figures.hpp"
#include "text_writer.hpp"

namespace numaheap::stats {

namespace {

using std::string_view;

void write_redis_fields(const RedisFigures& figures, TextWriter& out) {
  for (const RedisName& name : redis_names()) {
    const auto& figure = figures[name.figure];
    if (name.style == RedisStyle::kNotInInfo || !figure) continue;
    out.text(name.field).text(":");
    if (name.style == RedisStyle::kRatio || name.style == RedisStyle::kPercentage) {
      out.quotient(figure->numerator, figure->denominator);
    } else {
      out.number(figure->numerator);
    }
    out.text(name.style == RedisStyle::kPercentage ? "%\r\n" : "\r\n");
    if (name.style == RedisStyle::kBytesAndHuman)
      out.text(name.field).text("_human:").human(figure->numerator).text("\r\n");
  }
}

/// A text that is the label of an info metric.
struct TextField {
  const char* metric;
  const char* label;
  const char* field;
};
constexpr TextField kTextFields[] = {{kHostPolicy, "policy", "maxmemory_policy"},
                                     {kBuild, "version", "mem_allocator"}};

void write_label(TextWriter& out, const Label& label) {
  if (label.kind() == Label::Kind::kNumber) out.number(static_cast<int64_t>(label.number()));
  if (label.kind() == Label::Kind::kText) write_escaped(out, label.text(), Escaping::kLine);
}

void write_text_field(const Snapshot& snapshot, const TextField& text, TextWriter& out) {
  for (const Sample& sample : snapshot.samples) {
    const Metric& metric = *sample.metric;
    if (metric.type != Type::kInfo || string_view(metric.name) != text.metric) continue;
    for (size_t i = 0; i < metric.label_count(); ++i) {
      if (string_view(metric.label_keys[i]) != text.label) continue;
      out.text(text.field).text(":");
      write_label(out, sample.labels[i]);
      out.text("\r\n");
    }
  }
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
  write_redis_fields(RedisFigures(snapshot), out);
  for (const TextField& text : kTextFields) write_text_field(snapshot, text, out);
  for (const Sample& sample : snapshot.samples) {
    const Metric& metric = *sample.metric;
    // Those of Redis without labels are in its fields; with labels they say more than their sum.
    const bool shown = metric.label_count() == 0 && is_redis_figure(metric);
    if (metric.type != Type::kInfo && metric.detail == Detail::kSummary && !shown)
      write_own_field(out, sample);
  }
  return out.length();
}

}  // namespace numaheap::stats

#include "numaheap/stats/openmetrics.hpp"

#include <algorithm>
#include <string_view>

#include "escaped_text.hpp"
#include "redis_figures.hpp"
#include "text_writer.hpp"

namespace numaheap::stats {

namespace {

using std::string_view;

/// What OpenMetrics calls a unit; a family has one if its name ends with it.
constexpr string_view kUnits[] = {"bytes_per_second", "bytes", "seconds", "ratio"};

/// Writes one family after another: what stands above its samples, then the samples.
class Exposition {
 public:
  Exposition(TextWriter& out, bool openmetrics) : out_(out), openmetrics_(openmetrics) {}

  /// \param name  without "_total" and "_info".
  void open_family(string_view prefix, string_view name, Type type, string_view help,
                   string_view source) {
    prefix_ = prefix;
    name_ = name;
    suffix_ = type == Type::kCounter ? "_total" : type == Type::kInfo ? "_info" : "";
    // The older format knows no info, and its families are called as their samples are.
    const bool info_as_gauge = type == Type::kInfo && !openmetrics_;
    about("TYPE").text(info_as_gauge ? "gauge" : stats::name(type)).text("\n");
    if (openmetrics_ && type != Type::kInfo) write_unit();
    about("HELP");
    write_escaped(out_, help, openmetrics_ ? Escaping::kOpenMetrics : Escaping::kHelp);
    if (!source.empty()) out_.text(" Source: ").text(source).text(".");
    out_.text("\n");
  }
  /// The sample's name; labels and value are to follow.
  TextWriter& open_sample() { return out_.text(prefix_).text(name_).text(suffix_); }

 private:
  TextWriter& about(string_view what) {
    out_.text("# ").text(what).text(" ").text(prefix_).text(name_);
    if (!openmetrics_) out_.text(suffix_);
    return out_.text(" ");
  }
  void write_unit() {
    for (const string_view unit : kUnits) {
      const size_t length = name_.size() - std::min(name_.size(), unit.size() + 1);
      if (name_.ends_with(unit) && name_.substr(length).starts_with("_")) {
        about("UNIT").text(unit).text("\n");
        return;
      }
    }
  }

  TextWriter& out_;
  bool openmetrics_;
  string_view prefix_, name_, suffix_;
};

void write_value(TextWriter& out, int64_t value, Unit unit) {
  switch (unit) {
    case Unit::kNanoseconds:
      out.decimal(value, 1'000'000'000);
      break;
    case Unit::kMillionths:
      out.decimal(value, 1'000'000);
      break;
    default:
      out.number(value);
  }
}

void write_labels(TextWriter& out, const Sample& sample) {
  const size_t count = sample.metric->label_count();
  if (count == 0) return;
  for (size_t i = 0; i < count; ++i) {
    out.text(i == 0 ? "{" : ",").text(sample.metric->label_keys[i]).text("=\"");
    const Label& label = sample.labels[i];
    if (label.kind() == Label::Kind::kNumber) out.number(static_cast<int64_t>(label.number()));
    if (label.kind() == Label::Kind::kText)
      write_escaped(out, label.text(), Escaping::kOpenMetrics);
    out.text("\"");
  }
  out.text("}");
}

void write_redis(const Snapshot& snapshot, Exposition& exposition, TextWriter& out) {
  const RedisFigures figures(snapshot);
  for (const RedisName& name : redis_names()) {
    const auto& value = figures[name.figure];
    if (name.exported == nullptr || !value) continue;
    exposition.open_family("redis_", name.exported, Type::kGauge, name.meaning, "");
    exposition.open_sample().text(" ");
    if (value->denominator == 1) {
      out.number(value->numerator);
    } else {
      out.quotient(value->numerator, value->denominator, 6);
    }
    out.text("\n");
  }
}

/// Samples of one metric may stand between those of its group: each family is written where its first sample stands.
void write_own(const Snapshot& snapshot, Exposition& exposition, TextWriter& out) {
  const auto& samples = snapshot.samples;
  for (size_t i = 0; i < samples.size(); ++i) {
    const Metric& metric = *samples[i].metric;
    bool written = false;  // backwards, as members of a group stand close together
    for (size_t j = i; j-- > 0 && !written;) written = samples[j].metric == &metric;
    if (written) continue;
    exposition.open_family("", metric.name, metric.type, metric.help, name(metric.source));
    for (const Sample& sample : samples.subspan(i)) {
      if (sample.metric != &metric) continue;
      exposition.open_sample();
      write_labels(out, sample);
      out.text(" ");
      write_value(out, sample.value, metric.unit);
      out.text("\n");
    }
  }
}

void write_ages(const Snapshot& snapshot, Exposition& exposition, TextWriter& out) {
  const auto& samples = snapshot.samples;
  bool opened = false;
  for (size_t i = 0; i < samples.size(); ++i) {
    const Metric* metric = samples[i].metric;
    if (samples[i].age.count() <= 0) continue;
    bool written = false;
    for (size_t j = i; j-- > 0 && !written;)
      written = samples[j].metric == metric && samples[j].age.count() > 0;
    if (written) continue;
    if (!opened) {
      exposition.open_family("", "numaheap_sample_age_seconds", Type::kGauge,
                             "How old a figure was that was kept from an earlier reading.", "");
      opened = true;
    }
    auto oldest = samples[i].age;
    for (const Sample& sample : samples.subspan(i))
      if (sample.metric == metric) oldest = std::max(oldest, sample.age);
    exposition.open_sample().text("{metric=\"").text(metric->name).text("\"} ");
    write_value(out, oldest.count(), Unit::kNanoseconds);
    out.text("\n");
  }
}

size_t render(const Snapshot& snapshot, char* buffer, size_t size, bool openmetrics) {
  TextWriter out(buffer, size);
  Exposition exposition(out, openmetrics);
  write_redis(snapshot, exposition, out);
  write_own(snapshot, exposition, out);
  write_ages(snapshot, exposition, out);
  exposition.open_family("", "numaheap_snapshot_scan_seconds", Type::kGauge,
                         "How long reading all of this took.", "");
  exposition.open_sample().text(" ");
  write_value(out, snapshot.scan.count(), Unit::kNanoseconds);
  out.text(openmetrics ? "\n# EOF\n" : "\n");
  return out.length();
}

}  // namespace

size_t render_openmetrics(const Snapshot& snapshot, char* buffer, size_t size) noexcept {
  return render(snapshot, buffer, size, true);
}

size_t render_prometheus(const Snapshot& snapshot, char* buffer, size_t size) noexcept {
  return render(snapshot, buffer, size, false);
}

}  // namespace numaheap::stats

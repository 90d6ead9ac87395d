#include "numaheap/stats/json.hpp"

#include <string_view>

#include "escaped_text.hpp"
#include "text_writer.hpp"

namespace numaheap::stats {

namespace {

using std::string_view;

void write_string(TextWriter& out, string_view text) {
  out.text("\"");
  write_escaped(out, text, Escaping::kJson);
  out.text("\"");
}

void write_member(TextWriter& out, string_view key, string_view value) {
  out.text(",\"").text(key).text("\":");
  write_string(out, value);
}

void write_label(TextWriter& out, const Label& label) {
  switch (label.kind()) {
    case Label::Kind::kNone:
      out.text("null");
      break;
    case Label::Kind::kNumber:
      out.number(static_cast<int64_t>(label.number()));
      break;
    case Label::Kind::kText:
      write_string(out, label.text());
  }
}

void write_labels(TextWriter& out, const Sample& sample) {
  out.text(",\"labels\":{");
  for (size_t i = 0; i < sample.metric->label_count(); ++i) {
    if (i != 0) out.text(",");
    write_string(out, sample.metric->label_keys[i]);
    out.text(":");
    write_label(out, sample.labels[i]);
  }
  out.text("}");
}

void write_description(TextWriter& out, const Metric& metric) {
  write_member(out, "unit", name(metric.unit));
  write_member(out, "type", name(metric.type));
  write_member(out, "source", name(metric.source));
}

}  // namespace

size_t render_json(const Snapshot& snapshot, char* buffer, size_t size) noexcept {
  TextWriter out(buffer, size);
  out.text("{\"scan_ns\":").number(snapshot.scan.count());
  out.text(",\"left_out\":").number(static_cast<int64_t>(snapshot.left_out));
  out.text(",\"samples\":[");
  string_view separator = "";
  for (const Sample& sample : snapshot.samples) {
    out.text(separator).text("\n{\"name\":");
    write_string(out, sample.metric->name);
    write_labels(out, sample);
    out.text(",\"value\":").number(sample.value);
    write_description(out, *sample.metric);
    out.text(",\"age_ns\":").number(sample.age.count()).text("}");
    separator = ",";
  }
  out.text("],\"absent\":[");
  separator = "";
  for (const Absence& absence : snapshot.absent) {
    out.text(separator).text("\n{\"name\":");
    write_string(out, absence.metric->name);
    write_description(out, *absence.metric);
    write_member(out, "why", absence.why);
    out.text("}");
    separator = ",";
  }
  out.text("]}\n");
  return out.length();
}

}  // namespace numaheap::stats

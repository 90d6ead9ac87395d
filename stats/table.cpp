#include "numaheap/stats/table.hpp"

#include <algorithm>
#include <string_view>

#include "escaped_text.hpp"
#include "text_writer.hpp"

namespace numaheap::stats {

namespace {

using std::string_view;
using std::chrono::nanoseconds;

string_view figure_name(const Metric& metric) {
  constexpr string_view kPrefix = "numaheap_";
  constexpr string_view kUnits[] = {"_bytes_per_second", "_bytes", "_seconds", "_ratio"};
  string_view name = metric.name;
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  for (const string_view unit : kUnits) {
    if (name.ends_with(unit)) {
      name.remove_suffix(unit.size());
      break;
    }
  }
  return name;
}

/// "node 0, tier thread"
void write_labels(TextWriter& out, const Sample& sample) {
  for (size_t i = 0; i < sample.metric->label_count(); ++i) {
    out.text(i == 0 ? "" : ", ").text(sample.metric->label_keys[i]).text(" ");
    const Label& label = sample.labels[i];
    if (label.kind() == Label::Kind::kNumber) out.number(static_cast<int64_t>(label.number()));
    if (label.kind() == Label::Kind::kText) write_escaped(out, label.text(), Escaping::kLine);
  }
}

/// A value in the largest of the units that it reaches.
struct Step {
  int64_t size;
  const char* name;
};
template <size_t N>
void write_scaled(TextWriter& out, int64_t value, const Step (&steps)[N]) {
  const auto reaches = [&](const Step& step) { return value >= step.size || value <= -step.size; };
  const Step* step = std::find_if(std::begin(steps), std::end(steps), reaches);
  if (step == std::end(steps)) --step;
  if (step->size == 1) {
    out.number(value);
  } else {
    out.quotient(value, step->size);
  }
  out.text(" ").text(step->name);
}

constexpr int64_t kKi = 1024;
constexpr Step kByteSteps[] = {{kKi * kKi * kKi * kKi, "TiB"},
                               {kKi * kKi * kKi, "GiB"},
                               {kKi * kKi, "MiB"},
                               {kKi, "KiB"},
                               {1, "B"}};
constexpr Step kTimeSteps[] = {
    {60'000'000'000, "min"}, {1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}, {1, "ns"}};

/// "2026-03-01 12:00:00 UTC". Not by the C library, which reads files and allocates for it.
void write_time(TextWriter& out, int64_t unix_seconds) {
  using namespace std::chrono;
  constexpr int64_t kYear10000 = 253'402'300'800;
  if (unix_seconds < 0 || unix_seconds >= kYear10000) {
    out.number(unix_seconds).text(" s");
    return;
  }
  const sys_seconds time{seconds(unix_seconds)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  const auto two = [&](int64_t n, const char* after) {
    out.text(n < 10 ? "0" : "").number(n).text(after);
  };
  out.number(static_cast<int>(date.year())).text("-");
  two(static_cast<unsigned>(date.month()), "-");
  two(static_cast<unsigned>(date.day()), " ");
  two(clock.hours().count(), ":");
  two(clock.minutes().count(), ":");
  two(clock.seconds().count(), " UTC");
}

void write_value(TextWriter& out, const Sample& sample) {
  const Metric& metric = *sample.metric;
  if (metric.type == Type::kInfo) return;  // its labels are what it says
  switch (metric.unit) {
    case Unit::kCount:
      out.number(sample.value);
      break;
    case Unit::kBytes:
      write_scaled(out, sample.value, kByteSteps);
      break;
    case Unit::kBytesPerSecond:
      write_scaled(out, sample.value, kByteSteps);
      out.text("/s");
      break;
    case Unit::kNanoseconds:
      write_scaled(out, sample.value, kTimeSteps);
      break;
    case Unit::kUnixSeconds:
      write_time(out, sample.value);
      break;
    case Unit::kMillionths:
      out.quotient(sample.value, 1'000'000);
  }
}

void write_age(TextWriter& out, nanoseconds age) {
  if (age < std::chrono::milliseconds(1)) {
    out.text("now");
  } else if (age < std::chrono::seconds(1)) {
    out.number(age / std::chrono::milliseconds(1)).text(" ms");
  } else {
    write_scaled(out, age.count(), kTimeSteps);
  }
}

/// How many characters a text takes on a terminal: UTF-8's continuation bytes take none.
size_t width_of(string_view text) {
  const auto starts_character = [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  };
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

constexpr size_t kColumns = 5;
constexpr string_view kTitles[kColumns] = {"figure", "of", "value", "source", "age"};
constexpr size_t kGap = 2;

/// One cell at a time, as there is no memory for all.
class Cell {
 public:
  Cell(const Sample& sample, size_t column) {
    TextWriter out(text_, sizeof text_);
    switch (column) {
      case 0:
        out.text(figure_name(*sample.metric));
        break;
      case 1:
        write_labels(out, sample);
        break;
      case 2:
        write_value(out, sample);
        break;
      case 3:
        out.text(name(sample.metric->source));
        break;
      default:
        write_age(out, sample.age);
    }
    length_ = std::min(out.length(), sizeof text_ - 1);
  }
  [[nodiscard]] string_view text() const { return {text_, length_}; }

 private:
  char text_[160];
  size_t length_;
};

void write_cell(TextWriter& out, string_view text, size_t width) {
  out.text(text).repeat(' ', width + kGap - std::min(width_of(text), width));
}

void write_samples(const Snapshot& snapshot, TextWriter& out) {
  size_t width[kColumns];
  for (size_t column = 0; column < kColumns; ++column) {
    width[column] = kTitles[column].size();
    for (const Sample& sample : snapshot.samples)
      width[column] = std::max(width[column], width_of(Cell(sample, column).text()));
  }
  for (size_t column = 0; column + 1 < kColumns; ++column)
    write_cell(out, kTitles[column], width[column]);
  out.text(kTitles[kColumns - 1]).text("\n");
  for (const Sample& sample : snapshot.samples) {
    for (size_t column = 0; column + 1 < kColumns; ++column)
      write_cell(out, Cell(sample, column).text(), width[column]);
    out.text(Cell(sample, kColumns - 1).text()).text("\n");
  }
}

void write_absent(const Snapshot& snapshot, TextWriter& out) {
  if (snapshot.absent.empty()) return;
  constexpr string_view kTitle = "not available";
  size_t width = kTitle.size();
  for (const Absence& absence : snapshot.absent)
    width = std::max(width, figure_name(*absence.metric).size());
  out.text("\n");
  write_cell(out, kTitle, width);
  out.text("why\n");
  for (const Absence& absence : snapshot.absent) {
    write_cell(out, figure_name(*absence.metric), width);
    write_escaped(out, absence.why, Escaping::kLine);
    out.text("\n");
  }
}

}  // namespace

size_t render_table(const Snapshot& snapshot, char* buffer, size_t size) noexcept {
  TextWriter out(buffer, size);
  write_samples(snapshot, out);
  write_absent(snapshot, out);
  out.text("\n").number(static_cast<int64_t>(snapshot.samples.size())).text(" figures, read in ");
  write_scaled(out, snapshot.scan.count(), kTimeSteps);
  if (snapshot.left_out != 0) {
    out.text("; ").number(static_cast<int64_t>(snapshot.left_out));
    out.text(" more were left out for want of room");
  }
  out.text("\n");
  return out.length();
}

}  // namespace numaheap::stats

#include "measure_command.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <vector>

#include "numaheap/numa/bandwidth_meter.hpp"
#include "numaheap/numa/measure.hpp"
#include "numaheap/numa/measured_xml.hpp"
#include "refusal.hpp"

namespace numaheap::cli {

namespace {

using nlohmann::ordered_json;
using numa::BandwidthMeter;
using numa::Measured;
using numa::Measurement;
using numa::SelftestRow;

std::atomic<bool> is_interrupted{false};

/// Lets SIGINT end the measuring, once; a second one ends the program.
void catch_interrupt() {
  struct sigaction action {};
  action.sa_handler = [](int) { is_interrupted.store(true, std::memory_order_relaxed); };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
}

struct MeterTest {
  numa::BandwidthSource source;
  std::string note;
  std::vector<std::string> refusals;
  std::vector<SelftestRow> rows;
};

MeterTest test_meter() {
  BandwidthMeter meter = BandwidthMeter::start(BandwidthMeter::TimePoint::clock::now());
  MeterTest test{meter.source(), {}, meter.refusals(), {}};
  test.rows = numa::selftest(meter, GiB(4));
  test.note = meter.read(BandwidthMeter::TimePoint::clock::now()).note;
  return test;
}

/// The reasons of cells without a value, each once, by the letter that stands for it.
class Reasons {
 public:
  std::string cell(const Measured& measured, int width, int decimals) {
    if (measured.value) return fmt::format("{:>{}.{}f}", *measured.value, width, decimals);
    size_t index = 0;
    while (index < known_.size() && known_[index] != measured.reason) ++index;
    if (index == known_.size()) known_.push_back(measured.reason);
    return fmt::format("{:>{}}", fmt::format("({})", index + 1), width);
  }
  [[nodiscard]] std::string text() const {
    std::string text;
    for (size_t i = 0; i < known_.size(); ++i) text += fmt::format("  ({}) {}\n", i + 1, known_[i]);
    return text.empty() ? "" : "\nNot measured\n" + text;
  }

 private:
  std::vector<std::string> known_;
};

template <class Cell>
std::string matrix(const Measurement& measured, const char* title, Cell cell) {
  std::string text = fmt::format("{}\n  from \\ to", title);
  for (NodeId to : measured.to) text += fmt::format("{:>10}", to.value);
  for (size_t row = 0; row < measured.from.size(); ++row) {
    text += fmt::format("\n  {:>9}", measured.from[row].value);
    for (size_t column = 0; column < measured.to.size(); ++column) text += cell(row, column);
  }
  return text + "\n\n";
}

std::string to_text(const Measurement& measured) {
  Reasons reasons;
  std::string text = matrix(measured, "Idle latency, ns", [&](size_t row, size_t column) {
    return reasons.cell(measured.latency(row, column), 10, 1);
  });
  text += matrix(measured, "Bandwidth, all CPUs of a node reading, MB/s",
                 [&](size_t row, size_t column) {
                   return reasons.cell(measured.bandwidth(row, column), 10, 1);
                 });
  text += fmt::format("Peak bandwidth of a node's CPUs on its own memory, MB/s\n  {:<18}", "node");
  for (const numa::NodePeak& peak : measured.peaks) text += fmt::format("{:>10}", peak.node.value);
  for (size_t mix = 0; mix < numa::kMixNames.size(); ++mix) {
    text += fmt::format("\n  {:<18}", numa::kMixNames[mix]);
    for (const numa::NodePeak& peak : measured.peaks)
      text += reasons.cell(peak.mb_per_s[mix], 10, 1);
  }
  text += "\n\nLoaded latency: one CPU waits, the node's others read with a delay\n";
  for (const numa::LoadedLatency& node : measured.loaded) {
    text += fmt::format("  node {}\n  {:>9}{:>10}{:>12}\n", node.node.value, "delay", "ns", "MB/s");
    for (const numa::LoadedPoint& point : node.points) {
      text += fmt::format("  {:>9}{}{}\n", point.delay, reasons.cell(point.latency_ns, 10, 1),
                          reasons.cell(point.mb_per_s, 12, 1));
    }
  }
  text += reasons.text();
  for (const std::string& note : measured.notes) text += fmt::format("\nNote: {}\n", note);
  return text;
}

std::string to_text(const MeterTest& test) {
  std::string text = fmt::format("Bandwidth meter: {}\n", numa::name(test.source));
  for (const std::string& refusal : test.refusals) text += fmt::format("  not used: {}\n", refusal);
  text += fmt::format("  {}\n  {:>4}{:>16}{:>16}{:>9}\n", test.note, "node", "moved, bytes",
                      "measured", "off");
  for (const SelftestRow& row : test.rows) {
    text += fmt::format("  {:>4}", row.node.value);
    text += row.off ? fmt::format("{:>16}{:>16}{:>8.1f}%\n", row.moved.value, *row.measured,
                                  *row.off * 100)
                    : fmt::format("  {}\n", row.reason);
  }
  if (test.source == numa::BandwidthSource::kOwnBooks)
    text +=
        "  The test enters what it moves into the own books: that they agree says nothing of the "
        "hardware.\n";
  return text;
}

ordered_json to_json(const Measured& measured) {
  if (measured.value) return *measured.value;
  return {{"not_measured", measured.reason}};
}

ordered_json to_json(const Measurement& measured) {
  ordered_json json;
  const auto ids = [](const std::vector<NodeId>& nodes) {
    ordered_json list = ordered_json::array();
    for (NodeId node : nodes) list.push_back(node.value);
    return list;
  };
  const auto rows = [&](const auto& cell) {
    ordered_json table = ordered_json::array();
    for (size_t row = 0; row < measured.from.size(); ++row) {
      ordered_json line = ordered_json::array();
      for (size_t column = 0; column < measured.to.size(); ++column)
        line.push_back(to_json(cell(row, column)));
      table.push_back(std::move(line));
    }
    return table;
  };
  json["from"] = ids(measured.from);
  json["to"] = ids(measured.to);
  json["idle_latency_ns"] = rows(
      [&](size_t row, size_t column) -> const Measured& { return measured.latency(row, column); });
  json["bandwidth_mb_per_s"] = rows([&](size_t row, size_t column) -> const Measured& {
    return measured.bandwidth(row, column);
  });
  json["peak_mb_per_s"] = ordered_json::array();
  for (const numa::NodePeak& peak : measured.peaks) {
    ordered_json node = {{"node", peak.node.value}};
    for (size_t mix = 0; mix < numa::kMixNames.size(); ++mix)
      node[numa::kMixNames[mix]] = to_json(peak.mb_per_s[mix]);
    json["peak_mb_per_s"].push_back(std::move(node));
  }
  json["loaded_latency"] = ordered_json::array();
  for (const numa::LoadedLatency& loaded : measured.loaded) {
    ordered_json points = ordered_json::array();
    for (const numa::LoadedPoint& point : loaded.points) {
      points.push_back({{"delay", point.delay},
                        {"latency_ns", to_json(point.latency_ns)},
                        {"bandwidth_mb_per_s", to_json(point.mb_per_s)}});
    }
    json["loaded_latency"].push_back({{"node", loaded.node.value}, {"points", std::move(points)}});
  }
  json["notes"] = measured.notes;
  return json;
}

ordered_json to_json(const MeterTest& test) {
  ordered_json rows = ordered_json::array();
  for (const SelftestRow& row : test.rows) {
    ordered_json node = {{"node", row.node.value}, {"moved_bytes", row.moved.value}};
    if (row.off) {
      node["measured_bytes"] = *row.measured;
      node["off"] = *row.off;
    } else {
      node["not_measured"] = row.reason;
    }
    rows.push_back(std::move(node));
  }
  return {{"source", numa::name(test.source)},
          {"note", test.note},
          {"not_used", test.refusals},
          {"nodes", std::move(rows)}};
}

}  // namespace

int print_measurement(const MeasureCommand& command) {
  catch_interrupt();
  ordered_json json;
  int status = kDone;
  if (command.measure) {
    numa::MeasureOptions options =
        command.is_full ? numa::MeasureOptions::full() : numa::MeasureOptions::quick();
    options.stop = &is_interrupted;
    const Measurement measured = numa::measure(options);
    if (command.as_json) {
      json["measured"] = to_json(measured);
    } else {
      fmt::print("{}", to_text(measured));
    }
    if (!command.xml.empty()) {
      if (const Status written = write_measured_xml(measured, command.xml); !written) {
        fmt::print(stderr, "numaheap topo: --xml \"{}\": {}\n", command.xml, written.error().text);
        status = kFailed;
      }
    }
  }
  if (command.selftest && !is_interrupted.load(std::memory_order_relaxed)) {
    const MeterTest test = test_meter();
    if (command.as_json) {
      json["meter"] = to_json(test);
    } else {
      fmt::print("{}{}", command.measure ? "\n" : "", to_text(test));
    }
  }
  if (command.as_json) fmt::print("{}\n", json.dump(2));
  return is_interrupted.load(std::memory_order_relaxed) ? kFailed : status;
}

}  // namespace numaheap::cli

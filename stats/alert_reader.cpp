#include "alert_reader.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "quantity.hpp"

namespace numaheap::stats {

namespace {

using std::chrono::nanoseconds;

constexpr const char* kKeys =
    "text, severity, metric, labels, per, per_labels, above, below, clear and hold";
constexpr const char* kMetricName = "the name of a metric, e.g. \"numaheap_live_bytes\"";

/// As it would be written in TOML.
std::string to_toml(const toml::node& node) {
  if (const auto* text = node.as_string()) return '"' + text->get() + '"';
  std::ostringstream stream;
  node.visit([&](const auto& value) { stream << value; });
  return stream.str();
}

std::vector<std::pair<const toml::key*, const toml::node*>> in_file_order(
    const toml::table& table) {
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (const auto& [key, value] : table) entries.emplace_back(&key, &value);
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    const auto& left = a.first->source().begin;
    const auto& right = b.first->source().begin;
    return left.line != right.line ? left.line < right.line : left.column < right.column;
  });
  return entries;
}

const Metric* registered(const char* name) {
  for (const Metric* metric = first_metric(); metric != nullptr; metric = next_metric(*metric)) {
    if (name != nullptr && std::string_view(metric->name) == name) return metric;
  }
  return nullptr;
}

}  // namespace

const char* AlertReader::keep(std::string text) {
  return alerts_->texts.emplace_back(std::move(text)).c_str();
}

void AlertReader::mistake(const Entry& entry, std::string problem) {
  const bool has_value = entry.value != nullptr && !entry.value->is_table();
  const unsigned line = has_value ? entry.value->source().begin.line : 0;
  mistakes_.push_back({file_, line == 0 ? entry.line : line, entry.key,
                       has_value ? to_toml(*entry.value) : "", std::move(problem)});
}

AlertFileResult AlertReader::refused() {
  AlertFileResult result;
  result.mistakes = std::move(mistakes_);
  return result;
}

AlertFileResult AlertReader::read(std::string_view toml) {
  const toml::parse_result parsed = toml::parse(toml, std::string_view(file_));
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    mistakes_.push_back({file_, error.source().begin.line, "", "",
                         "not TOML: " + std::string(error.description())});
    return refused();
  }
  for (const auto& [key, value] : in_file_order(parsed.table())) {
    const Entry entry{std::string(key->str()), value, key->source().begin.line};
    if (*key == "every") {
      read_duration(entry, std::chrono::milliseconds(1), alerts_->every);
    } else if (*key != "alerts") {
      mistake(entry, "this is not known; accepted are every and [alerts.NAME]");
    } else if (!value->is_table()) {
      mistake(entry,
              "this is not a table; accepted is [alerts.NAME] with the keys " + std::string(kKeys));
    } else {
      for (const auto& [name, alert] : in_file_order(*value->as_table())) {
        read_alert(std::string(name->str()),
                   {"alerts." + std::string(name->str()), alert, name->source().begin.line});
      }
    }
  }
  if (!mistakes_.empty()) {
    std::stable_sort(mistakes_.begin(), mistakes_.end(),
                     [](const AlertMistake& a, const AlertMistake& b) { return a.line < b.line; });
    return refused();
  }
  AlertFileResult result;
  result.alerts = std::move(alerts_);
  return result;
}

void AlertReader::read_alert(const std::string& name, const Entry& entry) {
  if (!entry.value->is_table()) {
    mistake(entry, "an alert is a table; accepted is [alerts." + name + "] with the keys " + kKeys);
    return;
  }
  if (const Status named = check_alert_name(name); !named) {
    mistake(entry, named.error().text);
    return;
  }
  AlertRule rule{.name = keep(name)};
  const toml::table& table = *entry.value->as_table();
  for (const auto& [key, value] : in_file_order(table)) {
    const Entry field{entry.key + '.' + std::string(key->str()), value, key->source().begin.line};
    if (*key == "text") {
      if (const char* text = read_text(field, "a sentence for people")) rule.text = text;
    } else if (*key == "severity") {
      read_severity(field, rule);
    } else if (*key == "metric") {
      rule.figure.metric = read_text(field, kMetricName);
    } else if (*key == "per") {
      rule.per.metric = read_text(field, kMetricName);
    } else if (*key == "labels") {
      read_labels(field, rule.figure);
    } else if (*key == "per_labels") {
      read_labels(field, rule.per);
    } else if (*key == "hold") {
      read_duration(field, nanoseconds(0), rule.hold);
    } else if (*key != "above" && *key != "below" && *key != "clear") {
      mistake(field, "this is no key of an alert; accepted are " + std::string(kKeys));
    }
  }
  const size_t before = mistakes_.size();
  check_alert(entry, table, rule);
  if (mistakes_.size() == before) alerts_->rules.push_back(rule);
}

void AlertReader::check_alert(const Entry& entry, const toml::table& table, AlertRule& rule) {
  const auto entry_of = [&](const char* key) {
    const toml::node* value = table.get(key);
    return Entry{entry.key + '.' + key, value, entry.line};
  };
  if (!table.contains("metric")) {
    mistake(entry, "it has no metric; accepted is metric = NAME, " + std::string(kMetricName));
  }
  if (table.contains("per_labels") && !table.contains("per")) {
    mistake(entry_of("per_labels"),
            "there is no `per` that could have them; accepted with it only");
  }
  if (table.contains("above") == table.contains("below")) {
    mistake(entry, table.contains("above")
                       ? "it has both above and below; accepted is one of them"
                       : "it has no threshold; accepted is above = VALUE or below = VALUE");
    return;
  }
  rule.below = table.contains("below");
  const size_t before = mistakes_.size();
  read_threshold(entry_of(rule.below ? "below" : "above"), rule, rule.threshold);
  rule.clear = rule.threshold;
  if (table.contains("clear")) read_threshold(entry_of("clear"), rule, rule.clear);
  if (mistakes_.size() != before || rule.figure.metric == nullptr) return;
  if (const Status status = check_rule(rule); !status) {
    const std::string threshold = to_toml(*table.get(rule.below ? "below" : "above"));
    mistake(entry_of("clear"),
            rule.below ? "this is below the threshold; accepted is " + threshold + " or more"
                       : "this is above the threshold; accepted is " + threshold + " or less");
  }
}

const char* AlertReader::read_text(const Entry& entry, const char* accepted) {
  const auto* text = entry.value->as_string();
  if (text != nullptr && !text->get().empty() && text->get().find('\0') == std::string::npos)
    return keep(text->get());
  mistake(entry, "accepted is " + std::string(accepted));
  return nullptr;
}

void AlertReader::read_severity(const Entry& entry, AlertRule& rule) {
  const auto* text = entry.value->as_string();
  for (const Severity severity : {Severity::kNotice, Severity::kWarning, Severity::kCritical}) {
    if (text == nullptr || text->get() != name(severity)) continue;
    rule.severity = severity;
    return;
  }
  mistake(entry, "accepted are \"notice\", \"warning\" and \"critical\"");
}

void AlertReader::read_labels(const Entry& entry, AlertFigure& figure) {
  const toml::table* table = entry.value->as_table();
  if (table == nullptr || table->empty() || table->size() > kMaxLabels) {
    mistake(entry, "accepted is a table of 1 to " + std::to_string(kMaxLabels) +
                       " labels, e.g. { node = 1 }");
    return;
  }
  size_t i = 0;
  for (const auto& [key, value] : in_file_order(*table)) {
    LabelMatch match{.key = keep(std::string(key->str()))};
    if (const auto* number = value->as_integer(); number != nullptr && number->get() >= 0) {
      match.label = Label(static_cast<uint64_t>(number->get()));
    } else if (const auto* text = value->as_string()) {
      match.label = Label(keep(text->get()));
    } else {
      mistake({entry.key + '.' + std::string(key->str()), value, entry.line},
              "accepted is a number from 0 on, e.g. of a node, or a text");
      continue;
    }
    figure.labels[i++] = match;
  }
}

void AlertReader::read_duration(const Entry& entry, nanoseconds least, nanoseconds& duration) {
  const auto* text = entry.value->as_string();
  const std::optional<Quantity> quantity =
      text == nullptr ? std::nullopt : parse_quantity(text->get());
  constexpr double kMost = 366 * 24 * 60 * 60;
  if (quantity && quantity->kind == Quantity::Kind::kSeconds && quantity->value <= kMost) {
    const nanoseconds value(std::llround(quantity->value * 1e9));
    if (value >= least) {
      duration = value;
      return;
    }
  }
  mistake(entry, "accepted is a time from \"" + std::string(least.count() == 0 ? "0s" : "1ms") +
                     "\" to \"366d\", e.g. \"10s\", \"5m\" or \"1h\"");
}

void AlertReader::read_threshold(const Entry& entry, const AlertRule& rule, double& threshold) {
  std::optional<Quantity> quantity;
  if (const auto* text = entry.value->as_string()) {
    quantity = parse_quantity(text->get());
  } else if (const auto number = entry.value->value<double>();
             number && !entry.value->is_boolean() && *number >= 0 && std::isfinite(*number)) {
    quantity = Quantity{.value = *number};
  }
  const Metric* metric = registered(rule.figure.metric);
  const bool is_ratio = rule.per.metric != nullptr;
  const Unit unit = metric == nullptr || is_ratio ? Unit::kMillionths : metric->unit;
  const bool is_known = metric != nullptr || is_ratio;
  if (quantity && (!is_known || fits(quantity->kind, unit))) {
    threshold = quantity->value;
    return;
  }
  mistake(entry, "accepted is " + std::string(is_known ? accepted_for(unit)
                                                       : "a number from 0 on, also as \"64MiB\", "
                                                         "\"10ms\" or \"5%\""));
}

}  // namespace numaheap::stats

#include "numaheap/stats/alert.hpp"

#include <algorithm>
#include <cmath>

#include "alert_metric.hpp"
#include "escaped_text.hpp"
#include "figure.hpp"
#include "numaheap/base/check.hpp"
#include "quantity.hpp"

namespace numaheap::stats {

namespace {

using std::chrono::nanoseconds;

bool is_beyond(const AlertRule& rule, double value, double threshold) noexcept {
  return rule.below ? value < threshold : value > threshold;
}

void write_figure(TextWriter& out, const AlertFigure& figure) noexcept {
  write_escaped(out, figure.metric, Escaping::kLine);
  bool is_first = true;
  for (const LabelMatch& match : figure.labels) {
    if (match.key == nullptr) continue;
    write_escaped(out.text(is_first ? "{" : ","), match.key, Escaping::kLine);
    out.text("=\"");
    if (match.label.kind() == Label::Kind::kNumber) {
      out.number(static_cast<int64_t>(match.label.number()));
    } else if (match.label.kind() == Label::Kind::kText) {
      write_escaped(out, match.label.text(), Escaping::kOpenMetrics);
    }
    out.text("\"");
    is_first = false;
  }
  if (!is_first) out.text("}");
}

}  // namespace

const char* name(AlertState state) noexcept {
  switch (state) {
    case AlertState::kInactive:
      return "inactive";
    case AlertState::kPending:
      return "pending";
    case AlertState::kFiring:
      return "firing";
    case AlertState::kResolved:
      return "resolved";
  }
  return "unknown";
}

Status check_alert_name(std::string_view name) noexcept {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  if (!name.empty() && name.size() <= AlertRule::kMaxName &&
      name.find_first_not_of(kLetters) == std::string_view::npos)
    return numaheap::Unit{};
  return Error{ErrorCode::kInvalidArgument, 0,
               "the name of an alert has 1 to 63 letters, digits, _ and -"};
}

Status check_rule(const AlertRule& rule) noexcept {
  const auto wrong = [](const char* text) { return Error{ErrorCode::kInvalidArgument, 0, text}; };
  if (Status named = check_alert_name(rule.name == nullptr ? "" : rule.name); !named) return named;
  if (rule.text == nullptr || rule.figure.metric == nullptr)
    return wrong("an alert has a text and the name of a metric");
  if (!std::isfinite(rule.threshold) || !std::isfinite(rule.clear))
    return wrong("the thresholds of an alert are numbers");
  if (is_beyond(rule, rule.clear, rule.threshold))
    return wrong("the clear threshold is the threshold or on its good side");
  if (rule.hold < nanoseconds(0)) return wrong("the hold time is not negative");
  return numaheap::Unit{};
}

Alerts::Alerts(std::span<const AlertRule> rules, std::span<AlertStatus> statuses,
               nanoseconds every) noexcept
    : statuses_(statuses.first(rules.size())), every_(every) {
  for (size_t i = 0; i < rules.size(); ++i) {
    NH_ASSERT(check_rule(rules[i]).has_value());
    statuses_[i] = AlertStatus{.rule = &rules[i]};
  }
}

Alerts::~Alerts() {
  if (is_exported_) release_exported(statuses_);
}

Status Alerts::export_metric() noexcept {
  if (is_exported_) return numaheap::Unit{};
  Status claimed = claim_exported(statuses_);
  is_exported_ = claimed.has_value();
  return claimed;
}

void Alerts::sample(const Snapshot& snapshot, nanoseconds now) noexcept {
  sampled_at_ = now;
  for (AlertStatus& status : statuses_) {
    measure(status, snapshot);
    advance(status, now);
  }
  if (is_exported_) show_exported(statuses_);
}

void Alerts::measure(AlertStatus& status, const Snapshot& snapshot) noexcept {
  const AlertRule& rule = *status.rule;
  const char* const missed_before = status.because;
  const Figure figure = sum_of(snapshot, rule.figure.metric, rule.figure.labels);
  Figure per{.value = 1};
  if (rule.per.metric != nullptr) per = sum_of(snapshot, rule.per.metric, rule.per.labels);
  status.value.reset();
  status.unit = rule.per.metric == nullptr ? figure.unit : stats::Unit::kMillionths;
  status.missing = figure.missing != nullptr ? figure.missing : per.missing;
  status.because = figure.missing != nullptr ? figure.because : per.because;
  if (status.missing == nullptr && per.value == 0) {
    status.missing = rule.per.metric;
    status.because = "it is 0";
  }
  if (status.missing == nullptr) {
    status.value = figure.value / per.value;
  } else if (missed_before == nullptr) {
    write_line(status);
  }
}

void Alerts::advance(AlertStatus& status, nanoseconds now) noexcept {
  const AlertRule& rule = *status.rule;
  if (status.state == AlertState::kFiring) {
    if (status.value && !is_beyond(rule, *status.value, rule.clear))
      enter(status, AlertState::kResolved, now);
    return;
  }
  if (!status.value || !is_beyond(rule, *status.value, rule.threshold)) {
    if (status.state == AlertState::kPending) enter(status, AlertState::kInactive, now);
    return;
  }
  if (status.state != AlertState::kPending) {
    enter(status, AlertState::kPending, now);
    status.beyond_since = now;
  }
  if (now - status.beyond_since >= rule.hold) enter(status, AlertState::kFiring, now);
}

void Alerts::enter(AlertStatus& status, AlertState state, nanoseconds now) noexcept {
  status.state = state;
  status.since = now;
  if (state != AlertState::kFiring && state != AlertState::kResolved) return;
  if (callback_ != nullptr) callback_(callback_context_, status);
  write_line(status);
}

void Alerts::write_line(const AlertStatus& status) noexcept {
  if (log_ == nullptr) return;
  const AlertRule& rule = *status.rule;
  char line[1024];
  TextWriter out(line, sizeof line);
  out.text("alert ").text(rule.name).text(" (").text(name(rule.severity)).text(") ");
  if (!status.value) {
    write_escaped(out.text("cannot be examined: "), status.missing, Escaping::kLine);
    out.text(": ").text(status.because);
  } else {
    out.text(name(status.state)).text(": ");
    write_figure(out, rule.figure);
    if (rule.per.metric != nullptr) write_figure(out.text(" / "), rule.per);
    out.text(" is ");
    write_quantity(out, *status.value, status.unit);
    const bool fires = status.state == AlertState::kFiring;
    out.text(fires ? ", " : ", no longer ").text(rule.below ? "below " : "above ");
    write_quantity(out, fires ? rule.threshold : rule.clear, status.unit);
    if (fires) {
      out.text(" for ");
      write_duration(out, status.since - status.beyond_since);
    }
  }
  if (*rule.text != 0) write_escaped(out.text(". "), rule.text, Escaping::kLine);
  log_(log_context_, {line, std::min(out.length(), sizeof line - 1)});
}

}  // namespace numaheap::stats

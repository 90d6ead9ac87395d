/// \file
/// Alerts: rules over metrics that fire when a value stays beyond a threshold, in the process itself.
///
///     inactive -> pending: the value is beyond the threshold
///     pending  -> firing:  and has been for the hold time; or back to inactive
///     firing   -> resolved: the value is no longer beyond the clear threshold; then as inactive
///
/// Invariants: between the clear threshold and the threshold an alert stays what it is, firing or not. It fires at the
/// first sample that is `hold` or more after the first one, in a row, that was beyond the threshold. Where the value
/// cannot be had, a pending alert becomes inactive, as nobody saw it hold; a firing one goes on, as nobody saw it end.
///
/// Who calls sets the pace: `if (alerts.due(now)) alerts.sample(take_snapshot(memory), now);`
/// Threads: one at a time per Alerts; the exported metric may be read by any. Nothing here allocates or reads a clock.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "numaheap/base/api.h"
#include "numaheap/base/result.hpp"
#include "numaheap/stats/doctor.hpp"
#include "numaheap/stats/registry.hpp"

namespace numaheap::stats {

/// 1 while the alert fires, else 0. Label: alert.
inline constexpr char kAlertFiring[] = "numaheap_alert_firing";

/// The sum of a metric's samples, of those that have all of these labels.
struct AlertFigure {
  const char* metric = nullptr;
  std::array<LabelMatch, kMaxLabels> labels{};
};

/// Values are in base units: bytes, seconds, ratios (1 is one), counts. All texts must outlive the Alerts.
struct AlertRule {
  static constexpr size_t kMaxName = 63;

  const char* name = nullptr;  ///< 1 to kMaxName letters, digits, _ and -.
  const char* text = "";       ///< What it means, for people.
  Severity severity = Severity::kWarning;
  AlertFigure figure;
  AlertFigure per;     ///< The value is figure / per; without a metric, it is the figure.
  bool below = false;  ///< Beyond is below the threshold; otherwise above. Never at it.
  double threshold = 0;
  double clear = 0;  ///< The threshold, or a value on its good side.
  std::chrono::nanoseconds hold{0};
};

/// \returns what is wrong with the name, or with the rule and its name.
[[nodiscard]] NH_API Status check_alert_name(std::string_view name) noexcept;
[[nodiscard]] NH_API Status check_rule(const AlertRule& rule) noexcept;

enum class AlertState : uint8_t { kInactive, kPending, kFiring, kResolved };
NH_API const char* name(AlertState state) noexcept;

struct AlertStatus {
  const AlertRule* rule = nullptr;
  AlertState state = AlertState::kInactive;
  std::chrono::nanoseconds since{0};  ///< When it came into this state.
  std::chrono::nanoseconds beyond_since{
      0};                         ///< Pending, firing: the first sample beyond the threshold.
  std::optional<double> value;    ///< At the last sample.
  Unit unit = Unit::kCount;       ///< Of the value.
  const char* missing = nullptr;  ///< The metric for want of which there is no value ...
  const char* because = nullptr;  ///< ... and why; lives as long as the snapshot's texts.
};

/// Called when an alert fires or is resolved, out of sample().
using AlertCallback = void (*)(void* context, const AlertStatus& status) noexcept;
/// Called with a line for a log, without its end: when an alert fires or is resolved, and when its value cannot be had
/// any more.
using AlertLog = void (*)(void* context, std::string_view line) noexcept;

class Alerts {
 public:
  /// \param statuses  room for as many as there are rules; this object's to write, anyone's to read between samples.
  /// \param every     how often it is due().
  /// \pre check_rule() of each; rules and statuses outlive this object.
  NH_API Alerts(std::span<const AlertRule> rules, std::span<AlertStatus> statuses,
                std::chrono::nanoseconds every) noexcept;
  NH_API ~Alerts();
  Alerts(const Alerts&) = delete;
  Alerts& operator=(const Alerts&) = delete;

  void call(AlertCallback callback, void* context) noexcept {
    callback_ = callback;
    callback_context_ = context;
  }
  void log(AlertLog write, void* context) noexcept {
    log_ = write;
    log_context_ = context;
  }
  /// Shows each alert in kAlertFiring, from the next sample on, as long as this object lives.
  /// \returns kInvalidArgument if another Alerts shows one of the same name, kNoMemory if the process has shown
  ///          kMaxExported different names; then none is shown.
  NH_API Status export_metric() noexcept;
  static constexpr size_t kMaxExported = 64;

  /// True at first, and when `every` has passed since the last sample.
  [[nodiscard]] bool due(std::chrono::nanoseconds now) const noexcept {
    return !sampled_at_ || now - *sampled_at_ >= every_;
  }
  /// \pre `now` never runs backwards.
  NH_API void sample(const Snapshot& snapshot, std::chrono::nanoseconds now) noexcept;

  [[nodiscard]] std::span<const AlertStatus> statuses() const noexcept { return statuses_; }

 private:
  void measure(AlertStatus& status, const Snapshot& snapshot) noexcept;
  void advance(AlertStatus& status, std::chrono::nanoseconds now) noexcept;
  void enter(AlertStatus& status, AlertState state, std::chrono::nanoseconds now) noexcept;
  void write_line(const AlertStatus& status) noexcept;

  std::span<AlertStatus> statuses_;
  std::chrono::nanoseconds every_;
  std::optional<std::chrono::nanoseconds> sampled_at_;
  bool is_exported_ = false;
  AlertCallback callback_ = nullptr;
  void* callback_context_ = nullptr;
  AlertLog log_ = nullptr;
  void* log_context_ = nullptr;
};

}  // namespace numaheap::stats

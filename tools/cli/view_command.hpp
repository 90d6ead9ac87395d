/// \file
/// `numaheap info | stats | doctor`: the figures of a running process, by pid or name.

#pragma once

#include <memory>
#include <string>
#include <variant>

#include "numaheap/stats/process_view.hpp"
#include "refusal.hpp"

namespace numaheap::cli {

/// The process that a word of the command line means: its pid, or the only one of that name that publishes.
[[nodiscard]] std::variant<stats::ProcessView, Refusal> find_process(const std::string& who);
/// What it published last.
[[nodiscard]] std::variant<std::unique_ptr<stats::ForeignSnapshot>, Refusal> read_snapshot(
    stats::ProcessView& view, const std::string& who);

/// Prints the memory section of INFO. \returns the exit status, as the others.
int print_info(const std::string& who);

inline constexpr char kStatsFormats[] = "table, json, openmetrics, prometheus and memory-stats";
/// Prints everything that it published, in one of these formats.
int print_stats(const std::string& who, const std::string& format);

struct DoctorOptions {
  std::string process;
  std::string thresholds;  ///< As set_thresholds() takes them.
  unsigned seconds =
      0;  ///< To go on examining for, so that it can tell how long something has held.
  bool as_json = false;
};
/// Prints what is wrong with it. \returns kFound if something is.
int print_diagnosis(const DoctorOptions& options);

}  // namespace numaheap::cli

/// \file
/// AlertFile: alert rules (alert.hpp) as people write them, in TOML.
///
///     every = "10s"                                  # how often to sample; 10s if left out
///
///     [alerts.spill]
///     text = "Node 1 is full."                       # for people; may be left out
///     severity = "critical"                          # or "notice", "warning" (as if left out)
///     metric = "numaheap_range_elsewhere_bytes"      # all its samples, added up
///     labels = { node = 1 }                          # only those with these labels
///     per = "numaheap_range_resident_bytes"          # the value is the ratio of both; may be left out
///     per_labels = { node = 1 }
///     above = "5%"                                   # or `below`; also "64MiB", "10ms", 1.5
///     clear = "3%"                                   # resolved there; as `above` if left out
///     hold = "5m"                                    # how long before it fires; at once if left out
///
/// Bytes, seconds and ratios are what numbers without a unit mean (1 is the ratio of equals). A metric that nobody has
/// registered is no mistake: it may come later, and until then Alerts says that its samples are missing.
/// Threads: an AlertFile is only read. It allocates; not for malloc.

#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "numaheap/base/api.h"
#include "numaheap/stats/alert.hpp"

namespace numaheap::stats {

/// Alerts on these rules must not outlive it. Not movable: the rules point into it.
struct AlertFile {
  std::vector<AlertRule> rules;  ///< In the order of the file.
  std::chrono::nanoseconds every = std::chrono::seconds(10);
  std::deque<std::string> texts;  ///< What the rules point to.

  AlertFile() = default;
  AlertFile(const AlertFile&) = delete;
  AlertFile& operator=(const AlertFile&) = delete;
};

/// One mistake in a file.
struct AlertMistake {
  std::string file;
  unsigned line = 0;    ///< From 1; 0 if it is about the whole file.
  std::string key;      ///< "alerts.spill.above"; empty if it is about the file or its syntax.
  std::string value;    ///< As TOML; empty if there is none.
  std::string problem;  ///< What is wrong, and what is accepted.
};

/// "FILE:LINE: KEY = VALUE: PROBLEM", without the parts that are empty.
NH_API std::string to_text(const AlertMistake& mistake) noexcept;

/// Rules, or all the mistakes.
struct AlertFileResult {
  std::unique_ptr<AlertFile> alerts;
  std::vector<AlertMistake> mistakes;
};

/// \param file  the file's name in mistakes.
NH_API AlertFileResult parse_alerts(std::string_view toml, const std::string& file) noexcept;
/// The same for a file's text.
NH_API AlertFileResult load_alerts(const std::string& path) noexcept;

}  // namespace numaheap::stats

/// \file
/// AlertReader: turns the tables of a file into alert rules, and collects every mistake on the way.

#pragma once

// Header-only and without exceptions; the packaged library is built with them, and its names differ.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <string>
#include <string_view>

#include "numaheap/stats/alert_file.hpp"

namespace numaheap::stats {

class AlertReader {
 public:
  explicit AlertReader(std::string file) : file_(std::move(file)) {}

  AlertFileResult read(std::string_view toml);

 private:
  /// A value in the file and the words for it in a mistake.
  struct Entry {
    std::string key;  ///< "alerts.spill.above"
    const toml::node* value;
    unsigned line;
  };

  AlertFileResult refused();
  void read_alert(const std::string& name, const Entry& entry);
  void read_severity(const Entry& entry, AlertRule& rule);
  void read_labels(const Entry& entry, AlertFigure& figure);
  /// What only shows when the whole alert is read.
  void check_alert(const Entry& entry, const toml::table& table, AlertRule& rule);

  /// \returns what lives as long as the rules; nullptr, after a mistake, if it is no string or an empty one.
  const char* read_text(const Entry& entry, const char* accepted);
  void read_duration(const Entry& entry, std::chrono::nanoseconds least,
                     std::chrono::nanoseconds& duration);
  /// A threshold of the rule: as its metric's unit asks for, where that is registered.
  void read_threshold(const Entry& entry, const AlertRule& rule, double& threshold);

  const char* keep(std::string text);
  void mistake(const Entry& entry, std::string problem);

  std::string file_;
  std::unique_ptr<AlertFile> alerts_ = std::make_unique<AlertFile>();
  std::vector<AlertMistake> mistakes_;
};

}  // namespace numaheap::stats

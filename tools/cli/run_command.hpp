/// \file
/// `numaheap run`: starts a program on the heap, with its roles and settings.

#pragma once

#include <string>
#include <vector>

namespace numaheap::cli {

struct RunOptions {
  std::string config;  ///< A roles file; empty: none.
  std::string bind;    ///< A location for the role default; empty: none.
  bool explain = false;
  bool as_json = false;
  bool no_children = false;
  bool help_settings = false;
  std::vector<std::string> settings;  ///< NAME=VALUE.
  std::vector<std::string> command;   ///< With its arguments.
};

/// Becomes the program, or explains what would be done.
/// \returns the exit status, if it did not become the program.
int run(const RunOptions& options);

}  // namespace numaheap::cli

/// \file
/// `numaheap topo --measure` and `--selftest`: what the machine's memory can do, and how far its bandwidth meter is off.

#pragma once

#include <string>

namespace numaheap::cli {

struct MeasureCommand {
  bool measure = false;
  bool is_full = false;  ///< A second for each value.
  bool selftest = false;
  bool as_json = false;
  std::string xml;  ///< Where to write the matrices to, for hwloc; empty: nowhere.
};

/// Measures and prints. An interrupt (SIGINT) ends the measuring; what was measured until then is printed.
/// \returns the exit status: kFailed if it was interrupted or the file could not be written.
int print_measurement(const MeasureCommand& command);

}  // namespace numaheap::cli

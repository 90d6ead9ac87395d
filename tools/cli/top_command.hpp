/// \file
/// `numaheap top`: a live view of a running process.

#pragma once

#include <string>

namespace numaheap::cli {

struct TopOptions {
  std::string process;
  double seconds = 1;   ///< Between frames.
  unsigned frames = 0;  ///< How many; 0: until it is ended, or the process ends.
  bool batch = false;   ///< Lines one after another instead of a full screen.
};

/// \returns the exit status: kDone when the user or the count ended it, otherwise that of the refusal.
int show_top(const TopOptions& options);

}  // namespace numaheap::cli

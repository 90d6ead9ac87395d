/// \file
/// What `numaheap top` shows of two snapshots, as lines of text: nodes side by side, rates from the difference.

#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "numaheap/stats/registry.hpp"

namespace numaheap::cli {

/// What is kept of a snapshot to compare the next one with: counters by metric and labels.
struct TopTotals {
  std::map<std::string, int64_t> counters;
  std::chrono::nanoseconds at{0};
};

struct TopInput {
  const stats::Snapshot& snapshot;
  std::string title;             ///< Name and pid.
  std::chrono::nanoseconds age;  ///< Since it was published.
  std::chrono::nanoseconds
      at;  ///< When it was published, of any clock that does not run backwards.
};

/// \param last  what the frame before left; replaced by this one's. Without one, rates are "-".
[[nodiscard]] std::vector<std::string> top_frame(const TopInput& input, TopTotals& last);

}  // namespace numaheap::cli

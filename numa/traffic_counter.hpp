/// \file
/// TrafficCounter: one source of a BandwidthMeter.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "memory_domains.hpp"
#include "numaheap/base/node_id.hpp"
#include "numaheap/numa/bandwidth_meter.hpp"
#include "numaheap/stats/perf_kernel.hpp"

namespace numaheap::numa {

/// What one channel (or cache, or book) counted since it was asked last.
struct ChannelTraffic {
  NodeSet nodes;  ///< The memory that it is of: one node, or several that it does not tell apart.
  std::optional<double> bytes;
  double counted = 1;
  std::string reason;  ///< Why there are no bytes.
};

class TrafficCounter {
 public:
  virtual ~TrafficCounter() = default;
  /// The same channels in the same order each time, unless some come or go.
  virtual std::vector<ChannelTraffic> take() noexcept = 0;
  /// The nodes of each channel, for sources whose channels can belong to one node each although sysfs does not say to
  /// which; in the order of take().
  [[nodiscard]] virtual std::vector<NodeSet> channels() const noexcept { return {}; }
  /// What the source leaves out.
  [[nodiscard]] virtual std::string note() const noexcept { return {}; }
};

/// Counts with the units of `source`, which is one of the memory controllers'.
/// \param problem  set to a sentence if nothing is returned.
std::unique_ptr<TrafficCounter> open_controllers(BandwidthSource source,
                                                 const BandwidthMeter::Options& options,
                                                 const MemoryDomains& domains,
                                                 std::string& problem) noexcept;

/// Counts with /sys/fs/resctrl.
std::unique_ptr<TrafficCounter> open_resctrl(const std::string& root, const MemoryDomains& domains,
                                             std::string& problem) noexcept;

std::unique_ptr<TrafficCounter> open_own_books(const MemoryDomains& domains) noexcept;

}  // namespace numaheap::numa

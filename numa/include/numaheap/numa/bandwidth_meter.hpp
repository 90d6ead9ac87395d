/// \file
/// BandwidthMeter: how many bytes a second go to and from each node's memory, from the best source that the machine
/// grants, and why each better one was not to be had:
///
///   memory controllers   Intel's IMC, AMD's UMC or data fabric, through perf_event_open. All traffic, whoever makes it.
///   resctrl              MBM: traffic of the last caches' misses. Not what devices do.
///   own books            what numaheap itself moves (own_traffic.hpp). The rest of the machine is not in it.
///
/// Factors come from sysfs where it has them. A node's figure is a whole or is not there: if a channel cannot be read,
/// or the counters of a socket do not tell its nodes apart (sub-NUMA clusters, NPS2, NPS4), the node has a reason
/// instead. learn() finds out which channel belongs to which node.
///
/// Threads: one at a time, but for the exported metrics, which any thread reads. It allocates.
/// Cost: one read is a system call a channel, event and socket, or a file a cache; once a second is plenty.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "numaheap/base/api.h"
#include "numaheap/base/node_id.hpp"
#include "numaheap/stats/perf_kernel.hpp"

namespace numaheap::numa {

enum class BandwidthSource : uint8_t {
  kImc,             ///< Intel: commands counted by the memory controllers' channels.
  kImcFreeRunning,  ///< Intel: the same, by counters that always run.
  kUmc,             ///< AMD Zen 4 and later: commands counted by the memory controllers.
  kDataFabric,      ///< AMD Zen 2 and later: transfers between data fabric and memory.
  kResctrl,         ///< Misses of the last caches (MBM).
  kOwnBooks,        ///< What numaheap itself moves.
};
inline constexpr size_t kBandwidthSources = 6;

NH_API const char* name(BandwidthSource source) noexcept;

/// What went to and from the memory of one node between two reads.
struct NodeTraffic {
  NodeId node;
  std::optional<uint64_t> bytes;
  std::optional<uint64_t> bytes_per_second;
  double counted = 1;  ///< The share of the time that was counted; below 1 the bytes are scaled up.
  std::string reason;  ///< Why there is no figure.
  /// The most that the memory can move, as set_peak() was told.
  std::optional<uint64_t> peak_bytes_per_second;
};

struct BandwidthReading {
  using TimePoint = std::chrono::steady_clock::time_point;

  BandwidthSource source = BandwidthSource::kOwnBooks;
  TimePoint at{};                        ///< The end of the interval; a figure's age is now - at.
  std::chrono::nanoseconds interval{0};  ///< 0: nothing was read yet.
  std::vector<NodeTraffic> nodes;        ///< By id, the nodes that have memory.
  std::string note;                      ///< What the source leaves out; may be empty.

  [[nodiscard]] const NodeTraffic* node(NodeId id) const noexcept;
};

class TrafficCounter;

class NH_API BandwidthMeter {
 public:
  using TimePoint = BandwidthReading::TimePoint;
  /// A read that comes sooner gives the last reading again: rates over less are noise.
  static constexpr std::chrono::milliseconds kShortest{1};

  struct Options {
    std::string
        root;  ///< A folder with sys/ and proc/ of another machine, for tests; "" is this one.
    stats::PerfKernel* kernel = &stats::PerfKernel::live();
    /// The best source that may be used; those above it are not tried.
    BandwidthSource best = BandwidthSource::kImc;
  };

  /// Starts counting from the best source. Always succeeds: the own books are there.
  static BandwidthMeter start(TimePoint now, const Options& options) noexcept;
  static BandwidthMeter start(TimePoint now) noexcept { return start(now, Options()); }
  BandwidthMeter(BandwidthMeter&& other) noexcept;
  BandwidthMeter& operator=(BandwidthMeter&& other) noexcept;
  ~BandwidthMeter();

  [[nodiscard]] BandwidthSource source() const noexcept { return reading_.source; }
  /// Why each better source is not used: sentences.
  [[nodiscard]] const std::vector<std::string>& refusals() const noexcept { return refusals_; }

  /// What happened since the last read. A node that has gone offline has a reason.
  /// \pre `now` never runs backwards.
  const BandwidthReading& read(TimePoint now) noexcept;

  /// Tells the meter what a node's memory can move at most, for who wants to know how near to that it is: what
  /// measure() found, or Topology::nodes() where they are measured. A node that the meter does not know is left out.
  void set_peak(NodeId node, uint64_t bytes_per_second) noexcept;

  /// The nodes whose channels are not told apart. learn() is for them.
  [[nodiscard]] NodeSet ambiguous_nodes() const noexcept;
  /// Finds out which channel belongs to which of the ambiguous nodes.
  /// The next read() then only starts a new interval.
  /// \param make_traffic  moves a good many bytes to or from the node's memory and to no other's, 100 MB at least.
  void learn(const std::function<void(NodeId)>& make_traffic) noexcept;

  /// Exports what each read() gives from now on as metrics: numaheap_bandwidth_bytes_per_second and
  /// numaheap_memory_traffic_bytes, by node and source, and numaheap_bandwidth_peak_bytes_per_second, which the doctor
  /// compares with the first. One meter of a process can do that at a time.
  /// \returns false if another one does.
  bool export_metrics() noexcept;

 private:
  BandwidthMeter() noexcept;
  void open_source(const Options& options) noexcept;
  void use(BandwidthSource source, std::unique_ptr<TrafficCounter> counter) noexcept;
  const BandwidthReading& restart(TimePoint now) noexcept;

  std::unique_ptr<TrafficCounter> counter_;
  std::string node_directory_;
  std::vector<std::string> refusals_;
  std::vector<NodeId> learned_;  // by channel, as the counter has them; kNoNode: not known
  BandwidthReading reading_;
  bool is_started_ = true;  // false: the next read() starts an interval
  bool is_exported_ = false;
};

}  // namespace numaheap::numa

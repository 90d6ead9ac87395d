/// \file
/// Measures what a machine's memory can do, in the four tables that Intel's MLC prints, in its units: idle latency (ns)
/// and bandwidth (MB/s, 10^6 bytes) of all pairs of nodes, the peak of each node at several mixes of reads and writes,
/// and latency under load.
///
/// No root is needed and nothing is switched: prefetchers stay on, so latency is chased through a random cycle, and is
/// taken by the CPU time of its thread, so that others that run there do not lengthen it (they do load the memory). What
/// cannot be measured has a word instead of a value: the memory of each cell is verified to lie where it is said to.
///
/// Threads: one measurement at a time; nothing else should run on the machine meanwhile. It starts threads, and takes
/// memory on each node in turn (free memory permitting, four times the last caches).
/// Cost: a fraction of a second for each pair of nodes (quick()), some seconds (full()).

#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "numaheap/base/api.h"
#include "numaheap/base/bytes.hpp"
#include "numaheap/base/node_id.hpp"
#include "numaheap/numa/bandwidth_meter.hpp"

namespace numaheap::numa {

struct MeasureOptions {
  Bytes chain;  ///< What latency is chased through, a node; 0: four times the last cache of a CPU.
  Bytes
      traffic;  ///< What streams go over, a node; 0: twice the last caches of the machine, 64 MiB at least.
  std::chrono::milliseconds time{100};  ///< For each value.
  std::vector<unsigned>
      delays;  ///< Of the loaded latency: turns of an empty loop after each two lines.
  const std::atomic<bool>* stop = nullptr;  ///< Set: what is left becomes "interrupted".

  NH_API static MeasureOptions quick() noexcept;
  NH_API static MeasureOptions full() noexcept;
};

/// A measured value, or why there is none.
struct Measured {
  std::optional<double> value;
  std::string reason;
};

/// The mixes of the peak table, as MLC names them.
inline constexpr std::array<const char*, 5> kMixNames = {
    "all reads", "3:1 reads-writes", "2:1 reads-writes", "1:1 reads-writes", "stream-triad like"};

struct NodePeak {
  NodeId node;
  std::array<Measured, kMixNames.size()> mb_per_s;  ///< All CPUs of the node on its own memory.
};

struct LoadedPoint {
  unsigned delay;
  Measured latency_ns;  ///< Of one CPU, while the node's others read with the delay.
  Measured mb_per_s;    ///< What all of them read.
};

struct LoadedLatency {
  NodeId node;
  std::vector<LoadedPoint> points;
};

struct Measurement {
  std::vector<NodeId> from;           ///< The nodes with CPUs that this thread may use: the rows.
  std::vector<NodeId> to;             ///< The nodes with memory: the columns.
  std::vector<Measured> latency_ns;   ///< Row by row.
  std::vector<Measured> mb_per_s;     ///< All CPUs of the row read the memory of the column.
  std::vector<NodePeak> peaks;        ///< By `from`, those with memory.
  std::vector<LoadedLatency> loaded;  ///< The same.
  std::vector<std::string> notes;     ///< What to know when reading the tables: sentences.

  [[nodiscard]] const Measured& latency(size_t row, size_t column) const noexcept {
    return latency_ns[row * to.size() + column];
  }
  [[nodiscard]] const Measured& bandwidth(size_t row, size_t column) const noexcept {
    return mb_per_s[row * to.size() + column];
  }
};

/// Measures this machine, as far as the calling thread's affinity goes.
NH_API Measurement measure(const MeasureOptions& options) noexcept;

/// How far a meter is off on one node.
struct SelftestRow {
  NodeId node;
  Bytes moved;  ///< What the test wrote past the caches and read again.
  std::optional<uint64_t>
      measured;  ///< What the meter saw, less what flowed in as much time before the test.
  std::optional<double> off;  ///< measured / moved - 1: 0.05 is 5 % too much.
  std::string reason;         ///< Why there is nothing.
};

/// Moves `bytes` (rounded up to whole buffers) on each node that has CPUs and compares. First lets the meter learn()
/// what it does not tell apart. A meter of the own books is told what was moved: then only the bookkeeping is tested.
NH_API std::vector<SelftestRow> selftest(BandwidthMeter& meter, Bytes bytes) noexcept;

}  // namespace numaheap::numa

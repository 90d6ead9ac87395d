/// \file
/// ProcessView: the snapshots and maps that another process publishes, read without its noticing.
///
/// Nothing is attached, stopped or asked: the file is the other's memfd by way of /proc/PID/fd, or, where the program
/// has closed it, its memory by way of /proc/PID/mem. The kernel's ptrace check decides who may.
/// Threads: one at a time. Uses the C++ library: for tools, not for what malloc can reach.

#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "numaheap/base/api.h"
#include "numaheap/base/result.hpp"
#include "numaheap/stats/range_map.hpp"
#include "numaheap/stats/registry.hpp"

namespace numaheap::stats {

/// A snapshot together with what its samples point to: metrics and texts of another process.
class ForeignSnapshot {
 public:
  /// In this object's memory.
  [[nodiscard]] const Snapshot& snapshot() const { return snapshot_; }
  /// All that the other had registered, with samples or without.
  [[nodiscard]] std::span<const Metric> metrics() const { return {metrics_.get(), metric_count_}; }
  /// When it was published (CLOCK_MONOTONIC), and how long ago that was when it was read.
  [[nodiscard]] std::chrono::nanoseconds published() const { return published_; }
  [[nodiscard]] std::chrono::nanoseconds age() const { return age_; }

 private:
  friend class SegmentReader;
  std::string texts_;
  std::unique_ptr<Metric[]> metrics_;
  size_t metric_count_ = 0;
  std::vector<Sample> samples_;
  std::vector<Absence> absences_;
  Snapshot snapshot_;
  std::chrono::nanoseconds published_{0};
  std::chrono::nanoseconds age_{0};
};

/// Reads a segment that was copied out of another process; `now` is CLOCK_MONOTONIC. Trusts nothing of it.
/// \returns kInvalidArgument if it is cut short, of another layout, or says what cannot be.
[[nodiscard]] NH_API Result<std::unique_ptr<ForeignSnapshot>> read_segment(
    std::span<const char> segment, std::chrono::nanoseconds now) noexcept;

/// One range of another process.
struct ForeignMap {
  RangeMap map;
  std::vector<MapCell> cells;
  std::chrono::nanoseconds age{0};
};

/// An open file of another process, or its memory; `at` is where what is looked for starts.
struct ForeignFile {
  int file = -1;
  uint64_t at = 0;
};

class ProcessView {
 public:
  /// \returns kNotFound if there is no such process, or it publishes nothing; kNotPermitted.
  [[nodiscard]] NH_API static Result<ProcessView> open(int pid) noexcept;
  NH_API ~ProcessView();
  NH_API ProcessView(ProcessView&& other) noexcept;
  ProcessView(const ProcessView&) = delete;
  ProcessView& operator=(const ProcessView&) = delete;
  ProcessView& operator=(ProcessView&&) = delete;

  [[nodiscard]] int pid() const { return pid_; }

  /// The newest snapshot.
  /// \returns kNotFound once the process has ended; otherwise as read_segment().
  [[nodiscard]] NH_API Result<std::unique_ptr<ForeignSnapshot>> read() noexcept;

  /// Its ranges as maps, cell by cell, which it draws only while somebody looks: asking also says that one is wanted for
  /// the next five seconds. A map is at most some seconds old while the process allocates, one with
  /// NUMAHEAP_BACKGROUND=on.
  /// \returns kNotFound if none has been drawn yet, or the process has ended; kInvalidArgument for another layout;
  ///          kNotPermitted.
  [[nodiscard]] NH_API Result<std::vector<ForeignMap>> read_map() noexcept;

  /// Whether the process has ended: also when nobody has waited for it yet, or its pid is another's by now.
  [[nodiscard]] NH_API bool has_ended() const noexcept;

 private:
  ProcessView(int pid, int process) : pid_(pid), process_(process) {}

  int pid_;
  int process_;  ///< A pidfd; -1 where the kernel has none (before 5.3).
  ForeignFile snapshots_;
  ForeignFile maps_;
};

/// Processes of this name (/proc/PID/comm, as ps -C), lowest pid first.
[[nodiscard]] NH_API std::vector<int> find_processes(const std::string& name);

}  // namespace numaheap::stats

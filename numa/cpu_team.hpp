/// \file
/// CpuTeam: one thread on each of some CPUs, all working for the same time.

#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace numaheap::numa {

struct TeamResult {
  /// By CPU, the work done a second; empty if the team could not start.
  std::vector<double> per_second;
  /// The same by the time that the thread had the CPU: others that ran on it meanwhile do not count.
  std::vector<double> per_cpu_second;
  std::string problem;
};

/// Does one member's work until `stop`. \returns how much it was.
using TeamWork = std::function<uint64_t(size_t member, const std::atomic<bool>& stop)>;

/// Runs work(i, stop) on cpus[i], all at once, for `time`. The calling thread waits.
TeamResult run_team(std::span<const unsigned> cpus, std::chrono::nanoseconds time,
                    const TeamWork& work) noexcept;

}  // namespace numaheap::numa

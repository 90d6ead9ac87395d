/// \file
/// PerfKernel: what perf_event_open(2) is asked for and what it answers, behind an interface, so that counters and
/// meters are tested against machines that are not there; and a refusal of it in words.
///
/// Threads: any. Each open costs some microseconds, each read about one.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "numaheap/base/api.h"

namespace numaheap::stats {

/// One event as perf_event_attr takes it.
struct PerfEvent {
  std::string name;
  uint32_t type = 0;
  uint64_t config = 0;
  uint64_t config1 = 0;
  uint64_t config2 = 0;
  /// It happens inside the kernel, so that counting user mode alone would always give 0.
  bool only_in_kernel = false;
  /// Not empty: there is no such event on this CPU, and why. It is then never opened.
  std::string problem;
};

struct PerfTarget {
  int process = 0;             ///< A thread's id, 0 for the calling thread, -1 for all of a CPU.
  int cpu = -1;                ///< -1: on any CPU.
  bool with_children = false;  ///< Threads and processes that the thread starts from now on, too.
  bool user_only = false;      ///< Not what the kernel does for it.
  int group = -1;  ///< The descriptor of the event to be scheduled with, or -1 for none.
};

/// A count as the kernel keeps it. Where events outnumber the CPU's counters they take turns, and `running_ns` is less
/// than `enabled_ns`.
struct PerfCount {
  uint64_t value = 0;
  uint64_t enabled_ns = 0;
  uint64_t running_ns = 0;
};

class PerfKernel {
 public:
  virtual ~PerfKernel() = default;
  /// Starts counting. \returns a descriptor, or an errno below zero.
  virtual int open(const PerfEvent& event, const PerfTarget& target) noexcept = 0;
  /// \returns 0 or an errno.
  virtual int read(int descriptor, PerfCount& count) noexcept = 0;
  virtual void close(int descriptor) noexcept = 0;

  /// The one that runs us.
  NH_API static PerfKernel& live() noexcept;
};

/// What decides whether the kernel lets us count.
struct NH_API PerfEnvironment {
  bool is_guest = false;  ///< A virtual machine.
  std::optional<int>
      paranoid;  ///< kernel.perf_event_paranoid; nothing if the kernel has no perf events.
  bool has_capability = false;  ///< CAP_PERFMON or CAP_SYS_ADMIN.
  bool is_filtered = false;     ///< A seccomp filter is on.

  /// \param root  "" for this machine; a folder with proc/cpuinfo, proc/self/status and
  ///              proc/sys/kernel/perf_event_paranoid for a test. What is missing there stays as it is above.
  static PerfEnvironment read(const std::string& root = "") noexcept;
};

/// Why `event` was refused with `error`, and what to do about it: a sentence without the event's name.
/// \param whole_cpu  it was for all that runs on a CPU (PerfTarget::process -1), which needs more rights.
NH_API std::string explain_refusal(int error, const PerfEvent& event, bool whole_cpu,
                                   const PerfEnvironment& environment) noexcept;

}  // namespace numaheap::stats

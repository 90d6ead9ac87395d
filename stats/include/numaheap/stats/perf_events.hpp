/// \file
/// PerfCounters: hardware and software events of one thread or of the whole process, counted by the kernel, each with
/// its value or the reason why there is none.
///
///     PerfCounters counters = PerfCounters::open(usual_events(), PerfCounters::Whose::kThread);
///     std::vector<PerfValue> values;
///     { PerfCounters::Scoped counting(counters, values); work(); }
///
/// Where the CPU has fewer counters than events, the kernel lets them take turns: the value is then scaled by
/// enabled/running time, and PerfValue::counted says for what share of the time it was really counted.
///
/// Threads: open() in the thread that is meant (kThread), read() in any, one at a time. It allocates.
/// Cost: counting takes some nanoseconds at each context switch of the thread; a read some 1 µs an event (and thread).

#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "numaheap/stats/perf_kernel.hpp"

namespace numaheap::stats {

/// Cycles, instructions, misses of the last cache and of the data TLB, loads or fills from local and remote DRAM where
/// the CPU has such events (dram_events()), page faults, migrations between CPUs, context switches.
NH_API std::vector<PerfEvent> usual_events() noexcept;

/// The value of one event since open(), or over one Scoped.
struct PerfValue {
  std::string name;
  std::optional<uint64_t> value;  ///< Scaled, if `counted` is below 1.
  double counted = 1;             ///< The share of the time that it was counted, in (0, 1].
  bool user_only = false;         ///< The kernel's own work for the thread is not in it.
  std::string reason;             ///< Why there is no value; empty if there is one.
};

class NH_API PerfCounters {
 public:
  enum class Whose : uint8_t {
    kThread,  ///< The calling thread. The hardware events are one group: they are counted at the same times.
    kProcess,  ///< All threads that there are, and those that they start. No groups: inherited events have none.
  };
  class Scoped;

  /// Starts counting what can be counted. Events that are refused with the kernel in them are tried without it.
  static PerfCounters open(std::span<const PerfEvent> events, Whose whose,
                           PerfKernel& kernel = PerfKernel::live(),
                           const PerfEnvironment& environment = PerfEnvironment::read()) noexcept;

  PerfCounters(PerfCounters&& other) noexcept;
  PerfCounters& operator=(PerfCounters&& other) noexcept;
  ~PerfCounters();

  /// What was counted since open(), in the order of the events.
  [[nodiscard]] std::vector<PerfValue> read() const noexcept;

 private:
  struct Opened;
  using Counts = std::vector<std::vector<PerfCount>>;  // by event and thread

  PerfCounters(PerfKernel& kernel, std::vector<Opened> events) noexcept;
  [[nodiscard]] Counts count() const noexcept;
  [[nodiscard]] std::vector<PerfValue> since(const Counts& before) const noexcept;

  PerfKernel* kernel_;
  std::vector<Opened> events_;
};

/// Counts from here to the end of the scope.
class NH_API PerfCounters::Scoped {
 public:
  /// \param values  gets what was counted, when the scope ends.
  /// \pre both outlive the scope.
  Scoped(const PerfCounters& counters, std::vector<PerfValue>& values) noexcept;
  ~Scoped();
  Scoped(const Scoped&) = delete;
  Scoped& operator=(const Scoped&) = delete;

 private:
  const PerfCounters& counters_;
  std::vector<PerfValue>& values_;
  Counts before_;
};

/// A count over an interval, and for which share of it the event was counted. Wrapped counts differ rightly.
/// \returns nothing if it was never counted in the interval.
struct ScaledCount {
  double value;
  double counted;
};
NH_API std::optional<ScaledCount> scaled_difference(const PerfCount& before,
                                                    const PerfCount& after) noexcept;

}  // namespace numaheap::stats

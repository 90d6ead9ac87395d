/// \file
/// FakePerfKernel: counters of a machine that is not there. A test says which events there are and what they count.

#pragma once

#include <cerrno>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "numaheap/stats/perf_kernel.hpp"

namespace numaheap::tests {

class FakePerfKernel final : public stats::PerfKernel {
 public:
  struct Opened {
    stats::PerfEvent event;
    stats::PerfTarget target;
    stats::PerfCount count;
  };

  /// The errno that an event is refused with, 0 to open it.
  std::function<int(const stats::PerfEvent&, const stats::PerfTarget&)> refuse;
  int read_error = 0;

  int open(const stats::PerfEvent& event, const stats::PerfTarget& target) noexcept override {
    const int error = refuse ? refuse(event, target) : 0;
    if (error != 0) return -error;
    opened_[next_] = {event, target, {}};
    return next_++;
  }
  int read(int descriptor, stats::PerfCount& count) noexcept override {
    const auto found = opened_.find(descriptor);
    if (found == opened_.end()) return EBADF;
    count = found->second.count;
    return read_error;
  }
  void close(int descriptor) noexcept override { opened_.erase(descriptor); }

  /// What is open now, by descriptor.
  std::map<int, Opened>& opened() { return opened_; }
  /// Lets `time` pass, of which the event was counted for `running`, `value` times.
  static void advance(Opened& event, uint64_t value, uint64_t time, uint64_t running) {
    event.count.value += value;
    event.count.enabled_ns += time;
    event.count.running_ns += running;
  }

 private:
  std::map<int, Opened> opened_;
  int next_ = 100;
};

}  // namespace numaheap::tests

/// \file
/// A machine of two sockets that is not there, and its counters: what a BandwidthMeter is started on in tests.

#pragma once

#include <chrono>

#include "numaheap/numa/bandwidth_meter.hpp"
#include "stats/fake_event_sources.hpp"
#include "stats/fake_perf_kernel.hpp"

namespace numaheap::tests {

inline const numa::BandwidthMeter::TimePoint kStart{std::chrono::hours(1)};
inline constexpr uint64_t kSecond = 1'000'000'000;

/// Two sockets of one node each, CPUs 0-3 and 4-7.
struct TwoSockets : FakeEventSources {
  TwoSockets() {
    add_node(0, 0, 3, 0);
    add_node(1, 4, 7, 1);
  }
};

inline numa::BandwidthMeter start_meter(const FakeEventSources& machine, FakePerfKernel& kernel,
                                        numa::BandwidthSource best = numa::BandwidthSource::kImc) {
  return numa::BandwidthMeter::start(kStart, {machine.root(), &kernel, best});
}

/// Lets a second pass, in which each event counts what count(event, target) says.
template <class Count>
void one_second(FakePerfKernel& kernel, Count count) {
  for (auto& [descriptor, opened] : kernel.opened())
    FakePerfKernel::advance(opened, count(opened.event, opened.target), kSecond, kSecond);
}

}  // namespace numaheap::tests

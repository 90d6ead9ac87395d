/// \file
/// Which events of a unit count the traffic of memory, and how many bytes one count is: from sysfs where it says so, else
/// from a table of what is known.

#pragma once

#include <string>
#include <vector>

#include "numaheap/numa/bandwidth_meter.hpp"
#include "numaheap/stats/event_source.hpp"

namespace numaheap::numa {

struct TrafficEvent {
  stats::PerfEvent event;
  double bytes_per_count = 0;
};

/// Whether units of this name are what `source` counts with.
bool is_unit_of(BandwidthSource source, const std::string& unit) noexcept;

/// \param cpu_model  of Intel's family 6, for units without named events; 0 if it is another one.
/// \param problem    set to a sentence if nothing is returned.
std::vector<TrafficEvent> traffic_events(BandwidthSource source, const stats::EventSource& unit,
                                         unsigned cpu_model, std::string& problem) noexcept;

/// The model of an Intel CPU of family 6 by root/proc/cpuinfo; 0 for any other.
unsigned intel_model(const std::string& root) noexcept;

}  // namespace numaheap::numa

/// \file
/// Writes a measurement into hwloc's XML, so that Topology::load("xml:FILE"), HWLOC_XMLFILE and hwloc's own tools have
/// the whole matrices: Linux shows the firmware's values for a node's nearest CPUs only.
///
/// The file is this machine's topology with the memory attributes Latency (ns) and Bandwidth (MiB/s) of each measured
/// pair, the CPUs of the row as initiator, in the place of the firmware's; and, between nodes that have both CPUs and
/// memory, the latencies as a distances matrix "MeasuredLatency". SLIT's distances stay.

#pragma once

#include <string>

#include "numaheap/base/api.h"
#include "numaheap/base/result.hpp"
#include "numaheap/numa/measure.hpp"

namespace numaheap::numa {

/// \returns kInvalidArgument if nothing was measured or hwloc's variables name another machine, kSystem if hwloc cannot read the machine or write the file.
/// Cells without a value are left out.
NH_API Status write_measured_xml(const Measurement& measured, const std::string& path) noexcept;

}  // namespace numaheap::numa

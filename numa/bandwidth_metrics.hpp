/// \file
/// The metrics of a BandwidthMeter: what it read last, for any thread that takes a snapshot.

#pragma once

#include "numaheap/numa/bandwidth_meter.hpp"

namespace numaheap::numa {

/// Registers the metrics and takes the right to fill them. \returns false if another meter has it.
bool claim_bandwidth_metrics(BandwidthSource source) noexcept;
void release_bandwidth_metrics() noexcept;
/// \pre the caller has the right.
void publish_bandwidth(const BandwidthReading& reading) noexcept;

}  // namespace numaheap::numa

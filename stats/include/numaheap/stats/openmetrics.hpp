/// \file
/// A snapshot for Prometheus and its kin.
///
/// First Redis' figures, computed as in INFO memory, under the names that redis_exporter gives them
/// (redis_memory_used_bytes, ...), so that dashboards made for it work; then every sample of the snapshot under its
/// metric's own name, with its labels. Values are in base units: bytes, seconds, ratios (1 is one). HELP ends with the source of the
/// figure. Two families are about the snapshot itself: numaheap_snapshot_scan_seconds, and
/// numaheap_sample_age_seconds{metric="..."} for figures that were kept from an earlier reading.
///
/// What is not available is left out. A snapshot with Detail::kPerThread has series that come and go with threads: for a
/// scrape, take one of Detail::kPerClass or kSummary.
///
/// Threads: any. Allocates nothing; nothing but the snapshot is read. Cost: about 100 ns a sample.
/// Source: OpenMetrics 1.0.0; Prometheus' text format 0.0.4.

#pragma once

#include <cstddef>

#include "numaheap/base/api.h"
#include "numaheap/stats/registry.hpp"

namespace numaheap::stats {

inline constexpr char kOpenMetricsContentType[] =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";
inline constexpr char kPrometheusContentType[] = "text/plain; version=0.0.4; charset=utf-8";

/// OpenMetrics 1.0, "# EOF" included. As snprintf: \returns the length without the terminator, which may be more than
/// `size`: then the text is cut.
NH_API size_t render_openmetrics(const Snapshot& snapshot, char* buffer, size_t size) noexcept;

/// The same for who does not ask for OpenMetrics: Prometheus' text format 0.0.4.
NH_API size_t render_prometheus(const Snapshot& snapshot, char* buffer, size_t size) noexcept;

}  // namespace numaheap::stats

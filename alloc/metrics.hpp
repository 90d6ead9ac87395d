/// \file
/// The heap's figures as metrics: what numaheap/statistics.hpp reads, described once for every rendering.

#pragma once

#include "numaheap/base/node_id.hpp"
#include "numaheap/numa/address_space.hpp"
#include "numaheap/stats/metric.hpp"

namespace numaheap::alloc {

/// Registers all of the heap's metrics. Called at the heap's start; doing it again does nothing. Allocates nothing.
void register_metrics() noexcept;

/// The part of them that is per size class and per thread.
void register_detail_metrics() noexcept;

/// The part of them that comes from the arenas' own books.
void register_arena_metrics() noexcept;

/// The part of those that is per size class: what slabs waste.
void register_bin_metrics() noexcept;

/// The part that is asked of the kernel by samples: what of a node's memory lies elsewhere.
void register_residency_metrics() noexcept;

/// What the label "node" says for a placement: the node, "interleaved" or "weighted".
stats::Label node_label(NodeId node, numa::Placing placing) noexcept;

/// Why the heap's books have no figures now (Metric::why): it is not used yet, or another back end serves. Null if
/// they should have some.
const char* why_no_books(void* context) noexcept;

}  // namespace numaheap::alloc

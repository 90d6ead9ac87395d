/// \file
/// The heap's figures as metrics: what numaheap/statistics.hpp reads, described once for every rendering.

#pragma once

namespace numaheap::alloc {

/// Registers all of the heap's metrics. Called at the heap's start; doing it again does nothing. Allocates nothing.
void register_metrics() noexcept;

/// The part of them that comes from the arenas' own books.
void register_arena_metrics() noexcept;

/// The part that is asked of the kernel by samples: what of a node's memory lies elsewhere.
void register_residency_metrics() noexcept;

}  // namespace numaheap::alloc

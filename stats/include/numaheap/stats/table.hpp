/// \file
/// A snapshot as a table for people: a line a figure, with what it is of (node, class, thread), its value with a
/// readable unit, where it comes from and how old it is; then what is not available, and why (find_absent()).
///
///     figure             of             value       source     age
///     live               node 0         1.25 GiB    own books  now
///     active             node 0         1.31 GiB    own books  85 ms
///     ...
///     not available      why
///     hard_limit         no hard limit is set
///
/// A figure is its metric without the prefix "numaheap_" and without its unit. For programs there are json.hpp and
/// openmetrics.hpp: this one may change.
/// Threads: any. Allocates nothing; nothing but the snapshot is read.

#pragma once

#include <cstddef>

#include "numaheap/base/api.h"
#include "numaheap/stats/registry.hpp"

namespace numaheap::stats {

/// As snprintf: \returns the length without the terminator, which may be more than `size`: then the text is cut.
NH_API size_t render_table(const Snapshot& snapshot, char* buffer, size_t size) noexcept;

}  // namespace numaheap::stats

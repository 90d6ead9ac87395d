/// \file
/// A snapshot as JSON, for programs:
///
///     {"scan_ns":41250,"left_out":0,
///      "samples":[{"name":"numaheap_live_bytes","labels":{"node":0},"value":1048576,"unit":"bytes","type":"gauge",
///                  "source":"own books","age_ns":0},...],
///      "absent":[{"name":"numaheap_hard_limit_bytes","unit":"bytes","type":"gauge","source":"own books",
///                 "why":"no hard limit is set"},...]}
///
/// A value is a whole number of its unit ("millionths": a ratio). A node is a number, a label without a value is null.
/// Threads: any. Allocates nothing; nothing but the snapshot is read.

#pragma once

#include <cstddef>

#include "numaheap/base/api.h"
#include "numaheap/stats/registry.hpp"

namespace numaheap::stats {

/// As snprintf: \returns the length without the terminator, which may be more than `size`: then the text is cut.
NH_API size_t render_json(const Snapshot& snapshot, char* buffer, size_t size) noexcept;

}  // namespace numaheap::stats

/// \file
/// Own traffic: how many bytes of each node's memory our own movers have read and written. What a bandwidth meter shows
/// where the machine shows nothing better; it knows of us alone.
///
/// Threads: any. Nothing here allocates. Cost: one locked instruction; count a batch, not an object.

#pragma once

#include <cstdint>

#include "numaheap/base/api.h"
#include "numaheap/base/bytes.hpp"
#include "numaheap/base/node_id.hpp"

namespace numaheap::numa {

/// Adds what was read from a node's memory and written to it, together. A node of kMaxNodes or more is left out.
NH_API void count_own_traffic(NodeId node, Bytes bytes) noexcept;

/// Everything so far; only grows.
NH_API uint64_t own_traffic(NodeId node) noexcept;

}  // namespace numaheap::numa

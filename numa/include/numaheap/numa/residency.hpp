/// \file
/// Residency: on which node a page really is, asked of the kernel, and moving pages between nodes.
///
/// Where memory belongs (home_node) and where it is differ for spilled and interleaved pages. All
/// by move_pages(2), so policies and mappings stay as they are; asking about 1000 pages costs about
/// 0.2 ms.
///
/// Threads: any. Nothing here allocates or changes errno.

#pragma once

#include <cstddef>
#include <span>

#include "numaheap/base/bytes.hpp"
#include "numaheap/base/node_id.hpp"
#include "numaheap/base/result.hpp"

namespace numaheap::numa {

/// The node that the page of `address` is on. One system call.
/// \returns kNotFound if there is no page (never written, purged, not mapped), kNotPermitted where a seccomp filter
///          refuses move_pages, kNotSupported by a kernel without NUMA.
Result<NodeId> resident_node(const void* address) noexcept;

/// The same for many addresses: nodes[i] is where addresses[i] is, or kNoNode if there is no page.
/// \pre nodes.size() >= addresses.size().
/// \returns the refusal, with `nodes` filled up to the refused batch of 512.
Status resident_nodes(std::span<const void* const> addresses, std::span<NodeId> nodes) noexcept;

/// What became of the pages of one migrate(); the sum is all that was asked for.
struct Migration {
  Bytes moved;         ///< Now on the node, were elsewhere.
  Bytes there_before;  ///< Were on it.
  Bytes
      left_behind;  ///< Still elsewhere: the node is full, or the page is shared, locked for I/O or busy.
  Bytes absent;  ///< No page there.
};

/// Moves the pages of [start, start + bytes) to a node, as many as can be; their contents stay, and threads that use
/// them wait meanwhile. Works in batches of 512 pages; the caller bounds the time by `bytes` (some 2 µs a page). A full
/// node ends the moving; what it has no room for is left behind.
/// \pre `start` is page-aligned; `bytes` is rounded up to pages.
/// \returns kNotFound for a node that does not exist, kNotPermitted for one that this process may not use or where
///          move_pages is refused.
Result<Migration> migrate(const void* start, Bytes bytes, NodeId node) noexcept;

}  // namespace numaheap::numa

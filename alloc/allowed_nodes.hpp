/// \file
/// AllowedNodes: tells the host when the kernel takes nodes from the running process, or gives it some: a cpuset is
/// written to, or the process is moved to another cgroup.
///
/// The heap lives with it: its ranges and their policies stay, the kernel puts new pages of a node that is not allowed
/// on one that is, and threads follow their CPUs. Threads: any.

#pragma once

#include "numaheap/base/node_id.hpp"
#include "numaheap/base/result.hpp"

namespace numaheap::alloc {

/// From now on sample_allowed_nodes() compares with these. Not called on a machine with one node.
void watch_allowed_nodes(const NodeSet& now) noexcept;

/// Asks the kernel, and reports what is not as it was: one system call, if nodes are watched. Inside a SlowPath.
void sample_allowed_nodes() noexcept;

/// Reports how these nodes differ from those of the last call: nodes with a range of ours that are gone or are back, and
/// nodes that came and have none.
void compare_allowed_nodes(const NodeSet& now) noexcept;

/// Reports that a range's pages can no longer be populated from its node, as no thread may run there.
void report_not_populated(unsigned placement, const Error& refusal) noexcept;

}  // namespace numaheap::alloc

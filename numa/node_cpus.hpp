/// \file
/// The CPUs of each node that the calling thread may run on, and how large their caches are.

#pragma once

#include <vector>

#include "numaheap/base/bytes.hpp"
#include "numaheap/base/node_id.hpp"

namespace numaheap::numa {

struct NodeCpus {
  NodeId node;
  std::vector<unsigned> cpus;
};

/// By node, those with at least one CPU.
std::vector<NodeCpus> nodes_with_cpus() noexcept;

/// The last cache of a CPU; 32 MiB if sysfs does not say.
Bytes last_cache(unsigned cpu) noexcept;
/// All last caches of these CPUs, each counted once.
Bytes last_caches(const std::vector<NodeCpus>& nodes) noexcept;

}  // namespace numaheap::numa

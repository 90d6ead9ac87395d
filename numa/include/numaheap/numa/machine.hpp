/// \file
/// Machine: what the kernel says of its NUMA nodes, read with raw system calls and without
/// allocating, since the heap asks inside the first malloc. The rich view (caches, distances with
/// names, HMAT) is Topology.
///
/// Threads: any, also in signal handlers and in a forked child. Nothing here changes errno.

#pragma once

#include <cstdint>
#include <string_view>

#include "numaheap/base/node_id.hpp"
#include "numaheap/base/result.hpp"

namespace numaheap::numa {

/// The most nodes that get a heap of their own. Nodes beyond are served by the nearest one that has.
inline constexpr unsigned kMaxHeapNodes = 64;

/// Where the kernel describes its nodes; tests pass a folder of their own instead.
inline constexpr const char* kNodeDirectory = "/sys/devices/system/node";

struct Machine {
  NodeSet online;       ///< Nodes that exist. {0} where the kernel has no NUMA support.
  NodeSet with_memory;  ///< Of these, those with memory. Never empty.
  NodeSet with_cpus;    ///< Of these, those with CPUs.
  /// Of with_memory, those that this process may allocate on (Mems_allowed: a cgroup's cpuset;
  /// numactl --membind does not count). Never empty.
  NodeSet allowed;
  /// distances[i][j]: SLIT distance between the i-th and the j-th online node (in order of id); 0 if unknown.
  uint8_t distances[kMaxHeapNodes][kMaxHeapNodes] = {};

  /// SLIT distance, 10 for a node itself, 255 if unknown.
  [[nodiscard]] unsigned distance(NodeId from, NodeId to) const noexcept;
};

/// Reads a list as the kernel prints it, "0-3,8" (also "0-6:2", a newline at the end, and "" for none).
/// \returns kInvalidArgument for anything else and for ids of kMaxNodes or more.
Result<NodeSet> parse_node_list(std::string_view text) noexcept;

/// Reads the live machine. If its list of online nodes is missing or malformed, the machine is "one node, 0"; a node
/// list of another kind that is missing or malformed holds all nodes, a distance is unknown.
/// Opens four files and one more per node; does not allocate.
Machine read_machine(const char* node_directory = kNodeDirectory,
                     const char* status_file = "/proc/self/status") noexcept;

/// The nodes that the process may allocate on now: get_mempolicy(2), or where a filter refuses that, Mems_allowed_list.
/// \returns the errno of the refusal if the file does not tell either. One system call; does not allocate.
Result<NodeSet> read_allowed_nodes(const char* status_file = "/proc/self/status") noexcept;

/// The node of the CPU that the calling thread runs on: rseq's node_id (half a nanosecond) where the kernel fills it
/// (AT_RSEQ_FEATURE_SIZE says so; __rseq_size does not), else getcpu(2) by the vDSO.
NodeId current_node() noexcept;

/// The node that all CPUs of the calling thread's affinity mask belong to, or kNoNode if they span several (or if the
/// files that would tell are missing on a machine that has nodes).
/// A system call and a file; for thread start, not for every allocation. Does not allocate.
NodeId pinned_node(const char* node_directory = kNodeDirectory) noexcept;

}  // namespace numaheap::numa

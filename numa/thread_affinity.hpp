/// \file
/// PinnedToNode: the calling thread on one node for a moment; and what that needs to know of CPUs and affinities.
///
/// Nothing here allocates; a CpuSet is a kilobyte of stack.

#pragma once

#include "numaheap/base/node_id.hpp"
#include "numaheap/numa/cpu_set.hpp"

namespace numaheap::numa {

/// Reads the CPUs of a node. \returns false if the file is missing or malformed.
bool read_node_cpus(const char* node_directory, NodeId node, CpuSet& cpus) noexcept;

/// The CPUs that the calling thread may run on. \returns 0 or an errno.
int get_thread_affinity(CpuSet& cpus) noexcept;

/// Runs the calling thread on a node's CPUs until the end of the scope, then gives it back the mask that it had (a
/// change that somebody else makes to the mask meanwhile is lost). A thread whose mask lies in the node stays as it is.
class PinnedToNode {
 public:
  explicit PinnedToNode(NodeId node) noexcept;
  ~PinnedToNode();
  PinnedToNode(const PinnedToNode&) = delete;
  PinnedToNode& operator=(const PinnedToNode&) = delete;

  /// 0, or why the thread is not on the node: ENODEV if the node has no CPUs, else what the kernel said.
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  CpuSet before_;
  bool moved_ = false;
  int error_ = 0;
};

}  // namespace numaheap::numa

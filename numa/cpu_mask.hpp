/// \file
/// CpuMask: a set of CPUs as sched_setaffinity(2) takes it, and PinnedToNode: the calling thread on
/// one node for a moment. A kilobyte each; nothing allocates.

#pragma once

#include <array>
#include <cstdint>

#include "numaheap/base/node_id.hpp"

namespace numaheap::numa {

/// The most CPUs that the kernel can be built for on x86-64 (CONFIG_NR_CPUS).
inline constexpr unsigned kMaxCpus = 8192;

class CpuMask {
 public:
  void insert(unsigned cpu) noexcept { words_[cpu / 64] |= uint64_t{1} << (cpu % 64); }
  [[nodiscard]] bool empty() const noexcept;
  [[nodiscard]] bool is_subset_of(const CpuMask& other) const noexcept;
  [[nodiscard]] uint64_t* words() noexcept { return words_.data(); }
  [[nodiscard]] const uint64_t* words() const noexcept { return words_.data(); }

 private:
  std::array<uint64_t, kMaxCpus / 64> words_{};
};

/// Reads the CPUs of a node. \returns false if the file is missing or malformed.
bool read_node_cpus(const char* node_directory, NodeId node, CpuMask& cpus) noexcept;

/// The calling thread's affinity. \returns 0 or an errno.
int get_thread_affinity(CpuMask& cpus) noexcept;
/// \returns 0 or an errno: EINVAL if none of the CPUs is online and in the thread's cpuset.
int set_thread_affinity(const CpuMask& cpus) noexcept;

/// Runs the calling thread on a node's CPUs until the end of the scope, then gives it back the mask
/// that it had (a change that somebody else makes to the mask meanwhile is lost). A thread whose
/// mask lies in the node stays as it is.
class PinnedToNode {
 public:
  explicit PinnedToNode(NodeId node) noexcept;
  ~PinnedToNode();
  PinnedToNode(const PinnedToNode&) = delete;
  PinnedToNode& operator=(const PinnedToNode&) = delete;

  /// 0, or why the thread is not on the node: ENODEV if the node has no CPUs, else what the kernel
  /// said.
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  CpuMask before_;
  bool moved_ = false;
  int error_ = 0;
};

}  // namespace numaheap::numa

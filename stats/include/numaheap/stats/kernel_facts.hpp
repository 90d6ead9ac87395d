/// \file
/// KernelFacts: what the kernel's own files say that no metric does, for the doctor's rules.
///
/// What a file does not say, in the form that the kernel gives it, is not available: a file that is not there, is
/// empty, or lies. Threads: any. Nothing here allocates.

#pragma once

#include <cstdint>

#include "numaheap/base/api.h"

namespace numaheap::stats {

struct KernelFacts {
  static constexpr int64_t kNotAvailable = -1;
  enum class HugePages : uint8_t { kNotAvailable, kNever, kMadvise, kAlways };

  int64_t most_maps = kNotAvailable;       ///< vm.max_map_count.
  int64_t maps = kNotAvailable;            ///< Mappings of the process.
  int64_t numa_balancing = kNotAvailable;  ///< kernel.numa_balancing; 0: off.
  int64_t memory_nodes = kNotAvailable;    ///< Nodes that have memory.
  int64_t swapped_bytes = kNotAvailable;   ///< Of the process (VmSwap).
  int64_t huge_bytes = kNotAvailable;      ///< In huge pages, of the process (AnonHugePages).
  HugePages huge_pages = HugePages::kNotAvailable;  ///< transparent_hugepage/enabled.
};

/// How much reading the facts may cost.
enum class FactsEffort : uint8_t {
  kCheap,  ///< Some files of a line each: tens of microseconds. Without `maps` and `huge_bytes`.
  kAll,  ///< Also /proc/PID/maps (about a microsecond a mapping) and smaps_rollup, for which the kernel walks the
  ///< page tables (up to some milliseconds per GiB of small pages); meanwhile the process cannot map memory.
};

/// \param pid   of the process; 0: the calling one.
/// \param root  the folder that holds proc/ and sys/; "" on a running system.
[[nodiscard]] NH_API KernelFacts read_kernel_facts(FactsEffort effort, unsigned pid = 0,
                                                   const char* root = "") noexcept;

}  // namespace numaheap::stats

/// \file
/// What Topology keeps of hwloc, and hwloc's sets as ours.

#pragma once

#include <hwloc.h>

#include "numaheap/numa/topology.hpp"

namespace numaheap::numa {

/// The key of an info of the root object: present where bandwidths and latencies were measured.
inline constexpr const char* kMeasuredInfo = "NumaheapMeasured";

struct Topology::HwlocTopology {
  HwlocTopology() = default;
  ~HwlocTopology() {
    if (handle != nullptr) hwloc_topology_destroy(handle);
  }
  HwlocTopology(const HwlocTopology&) = delete;
  HwlocTopology& operator=(const HwlocTopology&) = delete;

  hwloc_topology_t handle = nullptr;
};

/// CPUs of CpuSet::kCapacity or more are left out, as the kernel cannot have them.
inline CpuSet to_cpu_set(hwloc_const_bitmap_t bitmap) noexcept {
  CpuSet cpus;
  if (bitmap == nullptr) return cpus;
  for (int cpu = hwloc_bitmap_first(bitmap); cpu >= 0 && cpu < static_cast<int>(CpuSet::kCapacity);
       cpu = hwloc_bitmap_next(bitmap, cpu)) {
    cpus.insert(static_cast<unsigned>(cpu));
  }
  return cpus;
}

inline NodeSet to_node_set(hwloc_const_bitmap_t bitmap) noexcept {
  NodeSet nodes;
  if (bitmap == nullptr) return nodes;
  for (int node = hwloc_bitmap_first(bitmap); node >= 0 && node < static_cast<int>(kMaxNodes);
       node = hwloc_bitmap_next(bitmap, node)) {
    nodes.insert(NodeId{static_cast<unsigned>(node)});
  }
  return nodes;
}

}  // namespace numaheap::numa

#include "numaheap/numa/measured_xml.hpp"

#include <hwloc.h>
#include <hwloc/distances.h>
#include <hwloc/memattrs.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <vector>

#include "hwloc_view.hpp"

namespace numaheap::numa {

namespace {

constexpr double kBytesPerMB = 1e6;
constexpr double kBytesPerMiB = 1024. * 1024.;

hwloc_obj_t node_object(hwloc_topology_t handle, NodeId node) {
  hwloc_obj_t object = nullptr;
  while ((object = hwloc_get_next_obj_by_type(handle, HWLOC_OBJ_NUMANODE, object)) != nullptr) {
    if (object->os_index == node.value) return object;
  }
  return nullptr;
}

/// The node's own CPUs as hwloc's set: HWLOC_OBJ_NUMANODE's are those nearest to it, which may be other nodes'.
class OwnCpus {
 public:
  OwnCpus(const Topology& topology, NodeId node) : set_(hwloc_bitmap_alloc()) {
    const TopologyNode* known = topology.node(node);
    if (set_ == nullptr || known == nullptr) return;
    for (unsigned cpu = known->cpus.next(0); cpu != CpuSet::kNone; cpu = known->cpus.next(cpu + 1))
      hwloc_bitmap_set(set_, cpu);
  }
  ~OwnCpus() { hwloc_bitmap_free(set_); }
  OwnCpus(const OwnCpus&) = delete;
  OwnCpus& operator=(const OwnCpus&) = delete;
  [[nodiscard]] hwloc_bitmap_t set() const { return set_; }

 private:
  hwloc_bitmap_t set_;
};

bool set_values(hwloc_topology_t handle, const Topology& topology, const Measurement& measured) {
  bool is_done = true;
  const auto set = [&](hwloc_memattr_id_t attribute, NodeId from, NodeId to, double value) {
    const hwloc_obj_t target = node_object(handle, to);
    const OwnCpus cpus(topology, from);
    hwloc_location initiator{};
    initiator.type = HWLOC_LOCATION_TYPE_CPUSET;
    initiator.location.cpuset = cpus.set();
    is_done = target != nullptr && cpus.set() != nullptr && is_done &&
              hwloc_memattr_set_value(handle, attribute, target, &initiator, 0,
                                      static_cast<hwloc_uint64_t>(std::llround(value))) == 0;
  };
  for (size_t row = 0; row < measured.from.size(); ++row) {
    for (size_t column = 0; column < measured.to.size(); ++column) {
      const NodeId from = measured.from[row];
      const NodeId to = measured.to[column];
      if (const auto latency = measured.latency(row, column).value)
        set(HWLOC_MEMATTR_ID_LATENCY, from, to, *latency);
      if (const auto bandwidth = measured.bandwidth(row, column).value)
        set(HWLOC_MEMATTR_ID_BANDWIDTH, from, to, *bandwidth * kBytesPerMB / kBytesPerMiB);
    }
  }
  return is_done;
}

/// hwloc's matrices are square and full: between the nodes for which everything was measured. None for fewer than two.
bool add_distances(hwloc_topology_t handle, const Measurement& measured) {
  std::vector<hwloc_obj_t> objects;
  std::vector<std::pair<size_t, size_t>> places;  // row and column of each
  for (size_t row = 0; row < measured.from.size(); ++row) {
    const auto column = std::find(measured.to.begin(), measured.to.end(), measured.from[row]);
    const hwloc_obj_t object = node_object(handle, measured.from[row]);
    if (column == measured.to.end() || object == nullptr) continue;
    objects.push_back(object);
    places.emplace_back(row, column - measured.to.begin());
  }
  std::vector<hwloc_uint64_t> values;
  for (const auto& [row, own] : places) {
    for (const auto& [other, column] : places) {
      const auto latency = measured.latency(row, column).value;
      if (!latency) return true;
      values.push_back(static_cast<hwloc_uint64_t>(std::llround(*latency)));
    }
  }
  if (objects.size() < 2) return true;
  const hwloc_distances_add_handle_t matrix = hwloc_distances_add_create(
      handle, "MeasuredLatency",
      HWLOC_DISTANCES_KIND_FROM_USER | HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0);
  return matrix != nullptr &&
         hwloc_distances_add_values(handle, matrix, static_cast<unsigned>(objects.size()),
                                    objects.data(), values.data(), 0) == 0 &&
         hwloc_distances_add_commit(handle, matrix, 0) == 0;
}

}  // namespace

Status write_measured_xml(const Measurement& measured, const std::string& path) noexcept {
  const auto has_value = [](const Measured& cell) { return cell.value.has_value(); };
  if (std::none_of(measured.latency_ns.begin(), measured.latency_ns.end(), has_value) &&
      std::none_of(measured.mb_per_s.begin(), measured.mb_per_s.end(), has_value))
    return Error{ErrorCode::kInvalidArgument, 0, "nothing was measured"};
  Result<Topology> topology = Topology::load("live");
  if (!topology) return topology.error();
  if (!topology->is_this_system())
    return Error{ErrorCode::kInvalidArgument, 0,
                 "hwloc is told of another machine (HWLOC_XMLFILE, HWLOC_SYNTHETIC, HWLOC_FSROOT)"};
  const hwloc_topology_t handle = topology->hwloc_->handle;
  if (!set_values(handle, *topology, measured) || !add_distances(handle, measured))
    return Error{ErrorCode::kSystem, errno, "hwloc does not take the measured values"};
  const hwloc_obj_t root = hwloc_get_root_obj(handle);
  if (!topology->is_measured() &&
      hwloc_obj_add_info(root, kMeasuredInfo, "numaheap topo --measure") != 0)
    return Error{ErrorCode::kSystem, errno, "hwloc does not take the measured values"};
  if (hwloc_topology_export_xml(handle, path.c_str(), 0) != 0)
    return Error{ErrorCode::kSystem, errno, "the file cannot be written"};
  return Unit{};
}

}  // namespace numaheap::numa

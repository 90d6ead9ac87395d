#include "topology_reader.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "kernel_file.hpp"
#include "numaheap/numa/machine.hpp"

namespace numaheap::numa {

namespace {

constexpr std::string_view kNodePath = "/sys/devices/system/node";

constexpr Error kNotXml{ErrorCode::kInvalidArgument, 0,
                        "the file is not a topology in hwloc's XML, as lstopo(1) writes it"};
constexpr Error kNotSynthetic{
    ErrorCode::kInvalidArgument, 0,
    "accepted are \"live\", \"xml:PATH\" and a synthetic topology of hwloc such as "
    "\"numa:4 core:2 pu:1\""};

hwloc_obj_t next_node(hwloc_topology_t handle, hwloc_obj_t previous) {
  return hwloc_get_next_obj_by_depth(handle, HWLOC_TYPE_DEPTH_NUMANODE, previous);
}

/// A value of one memory attribute of a node, and the CPUs that see it.
struct SeenValue {
  CpuSet from;
  uint64_t value;
};

/// The values of the first attribute, or of the second where the first has none.
std::vector<SeenValue> memory_values(hwloc_topology_t handle, hwloc_obj_t target,
                                     hwloc_memattr_id_t first, hwloc_memattr_id_t second) {
  std::vector<SeenValue> seen;
  for (hwloc_memattr_id_t attribute : {first, second}) {
    unsigned count = 0;
    if (hwloc_memattr_get_initiators(handle, attribute, target, 0, &count, nullptr, nullptr) != 0)
      continue;
    std::vector<hwloc_location> from(count);
    std::vector<hwloc_uint64_t> values(count);
    if (hwloc_memattr_get_initiators(handle, attribute, target, 0, &count, from.data(),
                                     values.data()) != 0)
      continue;
    for (unsigned i = 0; i < count; ++i) {
      // The kernel's values are for CPUs, those of hwloc-annotate(1) for an object.
      const bool is_object = from[i].type == HWLOC_LOCATION_TYPE_OBJECT;
      seen.push_back(
          {to_cpu_set(is_object ? from[i].location.object->cpuset : from[i].location.cpuset),
           values[i]});
    }
    if (!seen.empty()) break;
  }
  return seen;
}

/// The value that all of `cpus` see: of several, the one that is for the fewest CPUs.
std::optional<uint64_t> value_for(const std::vector<SeenValue>& seen, const CpuSet& cpus) {
  const SeenValue* best = nullptr;
  for (const SeenValue& value : seen) {
    if (cpus.is_subset_of(value.from) && (best == nullptr || value.from.size() < best->from.size()))
      best = &value;
  }
  if (best == nullptr) return std::nullopt;
  return best->value;
}

/// "Node 2", "Nodes 0-1,3".
template <class Set>
std::string naming(const char* noun, const Set& numbers) {
  return std::string(noun) + (numbers.size() == 1 ? " " : "s ") + to_list(numbers);
}

template <class Set>
const char* is_or_are(const Set& numbers) {
  return numbers.size() == 1 ? " is" : " are";
}

}  // namespace

Result<Topology> Topology::load(std::string_view source) noexcept {
  Topology topology;
  Status status = Reader(topology).read(source);
  if (!status) return status.error();
  return topology;
}

Status Topology::Reader::read(std::string_view source) {
  if (Status status = open(source); !status) return status;
  read_sets();
  read_nodes();
  read_own_cpus();
  read_distances();
  read_figures();
  describe_nodes();
  describe_cpus();
  describe_figures();
  return Unit{};
}

Status Topology::Reader::open(std::string_view source) {
  topology_.source_ = source;
  topology_.hwloc_ = std::make_unique<HwlocTopology>();
  hwloc_topology_t& handle = topology_.hwloc_->handle;
  if (hwloc_topology_init(&handle) != 0) {
    handle = nullptr;
    return Error{ErrorCode::kSystem, errno, "hwloc could not be started"};
  }
  is_live_ = source == "live";
  if (source.starts_with("xml:")) {
    const std::string path(source.substr(4));
    if (access(path.c_str(), R_OK) != 0) {
      if (errno == ENOENT) return Error{ErrorCode::kNotFound, ENOENT, "there is no such file"};
      return Error{ErrorCode::kNotPermitted, errno, "the file cannot be read"};
    }
    if (hwloc_topology_set_xml(handle, path.c_str()) != 0) {
      return kNotXml;
    }
  } else if (!is_live_) {
    if (source.starts_with("synthetic:")) source.remove_prefix(10);
    if (hwloc_topology_set_synthetic(handle, std::string(source).c_str()) != 0) {
      return kNotSynthetic;
    }
  }
  const auto flags =
      HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED | HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING;
  if (hwloc_topology_set_flags(handle, flags) != 0 || hwloc_topology_load(handle) != 0) {
    if (is_live_) return Error{ErrorCode::kSystem, errno, "hwloc could not read this machine"};
    return source.starts_with("xml:") ? kNotXml : kNotSynthetic;
  }
  topology_.is_this_system_ = hwloc_topology_is_thissystem(handle) != 0;
  topology_.is_measured_ =
      hwloc_obj_get_info_by_name(hwloc_get_root_obj(handle), kMeasuredInfo) != nullptr;

  const char* root = std::getenv("HWLOC_FSROOT");
  if (is_live_ && root != nullptr) {
    node_directory_ = std::string(root) + std::string(kNodePath);
  } else if (topology_.is_this_system_) {
    node_directory_ = kNodePath;
  }
  return Unit{};
}

void Topology::Reader::read_sets() {
  hwloc_topology_t handle = topology_.hwloc_->handle;
  topology_.online_cpus_ = to_cpu_set(hwloc_topology_get_topology_cpuset(handle));
  topology_.allowed_cpus_ =
      to_cpu_set(hwloc_topology_get_allowed_cpuset(handle)) & topology_.online_cpus_;
  topology_.offline_cpus_ =
      to_cpu_set(hwloc_topology_get_complete_cpuset(handle)) - topology_.online_cpus_;
}

void Topology::Reader::read_nodes() {
  hwloc_topology_t handle = topology_.hwloc_->handle;
  NodeSet allowed = to_node_set(hwloc_topology_get_allowed_nodeset(handle));
  std::optional<Machine> machine;
  if (topology_.is_this_system_) machine = read_machine();
  for (hwloc_obj_t object = next_node(handle, nullptr); object != nullptr;
       object = next_node(handle, object)) {
    if (object->os_index >= kMaxNodes) continue;
    const NodeId id{object->os_index};
    const Bytes memory{object->attr->numanode.local_memory};
    // hwloc reads the cgroup's files, which a container may not see; the kernel says it of the process itself.
    const bool is_allowed = allowed.contains(id) && (!machine || machine->allowed.contains(id) ||
                                                     !machine->with_memory.contains(id));
    topology_.nodes_.push_back({id,
                                object->logical_index,
                                object->subtype == nullptr ? "" : object->subtype,
                                to_cpu_set(object->cpuset),
                                memory,
                                is_allowed,
                                {}});
    has_sizes_ = has_sizes_ || memory.value != 0;
  }
  // Texts often leave the sizes out: that is not a machine without memory.
  for (const TopologyNode& node : topology_.nodes_) {
    if (node.allowed && (node.memory.value != 0 || !has_sizes_))
      topology_.usable_nodes_.insert(node.id);
  }
  std::sort(topology_.nodes_.begin(), topology_.nodes_.end(),
            [](const TopologyNode& a, const TopologyNode& b) { return a.id < b.id; });
}

// hwloc gives a node of memory only the CPUs that are nearest to it, if the firmware names them. The kernel's list says
// whose they are; where there is no such list, a CPU belongs to the node with the fewest CPUs around it, of equal ones
// to the one with the lowest number: firmware lists memory without CPUs last.
void Topology::Reader::read_own_cpus() {
  std::vector<TopologyNode*> by_size;
  bool from_kernel = !node_directory_.empty();
  std::vector<CpuSet> kernel_cpus;
  for (TopologyNode& node : topology_.nodes_) {
    by_size.push_back(&node);
    CpuSet cpus;
    KernelFile file(
        Path(node_directory_.c_str()).add("/node").add(node.id.value).add("/cpulist").c_str());
    from_kernel = from_kernel &&
                  read_id_list(file, CpuSet::kCapacity, [&](unsigned cpu) { cpus.insert(cpu); });
    kernel_cpus.push_back(cpus & topology_.online_cpus_);
  }
  if (from_kernel) {
    for (size_t i = 0; i < kernel_cpus.size(); ++i) topology_.nodes_[i].cpus = kernel_cpus[i];
    return;
  }
  std::stable_sort(
      by_size.begin(), by_size.end(),
      [](const TopologyNode* a, const TopologyNode* b) { return a->cpus.size() < b->cpus.size(); });
  CpuSet taken;
  for (TopologyNode* node : by_size) {
    node->cpus -= taken;
    taken |= node->cpus;
  }
}

void Topology::Reader::read_distances() {
  const size_t count = topology_.nodes_.size();
  if (count == 1) {
    topology_.distances_ = {10};
    return;
  }
  hwloc_topology_t handle = topology_.hwloc_->handle;
  unsigned matrices = 1;
  hwloc_distances_s* matrix = nullptr;
  if (hwloc_distances_get_by_name(handle, "NUMALatency", &matrices, &matrix, 0) != 0 ||
      matrices == 0)
    return;
  constexpr unsigned kUnknown = 255;  // what SLIT says of nodes that cannot reach each other
  topology_.distances_.assign(count * count, kUnknown);
  const auto position = [&](hwloc_obj_t object) {
    const TopologyNode* node =
        object == nullptr ? nullptr : topology_.node(NodeId{object->os_index});
    return node == nullptr ? count : static_cast<size_t>(node - topology_.nodes_.data());
  };
  for (unsigned i = 0; i < matrix->nbobjs; ++i) {
    const size_t row = position(matrix->objs[i]);
    for (unsigned j = 0; j < matrix->nbobjs; ++j) {
      const size_t column = position(matrix->objs[j]);
      if (row == count || column == count) continue;
      topology_.distances_[row * count + column] =
          static_cast<unsigned>(matrix->values[i * matrix->nbobjs + j]);
    }
  }
  hwloc_distances_release(handle, matrix);
}

void Topology::Reader::read_figures() {
  hwloc_topology_t handle = topology_.hwloc_->handle;
  for (hwloc_obj_t object = next_node(handle, nullptr); object != nullptr;
       object = next_node(handle, object)) {
    const TopologyNode* target = topology_.node(NodeId{object->os_index});
    if (target == nullptr) continue;
    const auto bandwidths =
        memory_values(handle, object, HWLOC_MEMATTR_ID_BANDWIDTH, HWLOC_MEMATTR_ID_READ_BANDWIDTH);
    const auto latencies =
        memory_values(handle, object, HWLOC_MEMATTR_ID_LATENCY, HWLOC_MEMATTR_ID_READ_LATENCY);
    std::vector<MemoryFigures>& figures =
        topology_.nodes_[static_cast<size_t>(target - topology_.nodes_.data())].figures;
    for (const TopologyNode& from : topology_.nodes_) {
      if (from.cpus.empty()) continue;
      const MemoryFigures seen{from.id, value_for(bandwidths, from.cpus),
                               value_for(latencies, from.cpus)};
      if (seen.bandwidth_mib_per_s || seen.latency_ns) figures.push_back(seen);
    }
  }
}

void Topology::Reader::describe_nodes() {
  if (topology_.is_this_system_ && access(node_directory_.c_str(), R_OK) != 0) {
    lacks("The kernel tells nothing of NUMA nodes (there is no " + node_directory_ +
          "): the machine is taken as one node, 0.");
  }
  NodeSet absent;
  NodeSet without_heap;
  NodeSet forbidden;
  unsigned with_memory = 0;
  unsigned expected = 0;
  for (const TopologyNode& node : topology_.nodes_) {
    for (; expected < node.id.value; ++expected) absent.insert(NodeId{expected});
    expected = node.id.value + 1;
    const std::string name = "Node " + std::to_string(node.id.value);
    if (node.cpus.empty()) lacks(name + " has no CPUs of its own: no thread is at home there.");
    if (node.memory.value == 0 && has_sizes_) {
      lacks(name + " has no memory: its threads get theirs from the nearest node that has some.");
    } else if (++with_memory > kMaxHeapNodes) {
      without_heap.insert(node.id);
    }
    if (!node.allowed) forbidden.insert(node.id);
  }
  if (!has_sizes_) lacks("Sizes of memory are not known: the source gives none.");
  if (!absent.empty()) {
    lacks(naming("Node", absent) + is_or_are(absent) +
          " not there: offline, or a number that was never given.");
  }
  if (!forbidden.empty()) {
    lacks(naming("Node", forbidden) +
          " may not be allocated on: the cgroup's cpuset (cpuset.mems) says so.");
  }
  if (!without_heap.empty()) {
    lacks(naming("Node", without_heap) + (without_heap.size() == 1 ? " has" : " have") +
          " no heap: there are more nodes than " + std::to_string(kMaxHeapNodes) +
          ", and the nearest one that has a heap serves them.");
  }
}

void Topology::Reader::describe_cpus() {
  const CpuSet& offline = topology_.offline_cpus_;
  if (!offline.empty()) lacks(naming("CPU", offline) + is_or_are(offline) + " offline.");
  const CpuSet forbidden = topology_.online_cpus_ - topology_.allowed_cpus_;
  if (!forbidden.empty()) {
    lacks(naming("CPU", forbidden) +
          " may not be run on: the cgroup's cpuset (cpuset.cpus) says so.");
  }
  CpuSet homeless = topology_.online_cpus_;
  for (const TopologyNode& node : topology_.nodes_) homeless -= node.cpus;
  if (!homeless.empty()) lacks(naming("CPU", homeless) + is_or_are(homeless) + " on no node.");
}

void Topology::Reader::describe_figures() {
  if (topology_.distances_.empty()) {
    lacks("Distances between nodes are not known: " +
          std::string(!node_directory_.empty()
                          ? "the firmware has no SLIT, or the kernel does not show it."
                          : "the source has no matrix \"NUMALatency\"."));
  }
  size_t pairs = 0;
  size_t known = 0;
  for (const TopologyNode& node : topology_.nodes_) {
    pairs += node.cpus.empty() ? 0 : topology_.nodes_.size();
    known += node.figures.size();
  }
  if (known == 0) {
    lacks("Bandwidth and latency of memory are not known: " +
          std::string(!node_directory_.empty()
                          ? "the firmware has no HMAT, or the kernel does not show it."
                          : "the source has no values for them."));
  } else if (known < pairs) {
    lacks("Bandwidth and latency are known for " + std::to_string(known) + " of " +
          std::to_string(pairs) + " pairs of CPUs and memory: " +
          (topology_.is_measured_ ? "the others could not be measured."
                                  : "Linux shows the firmware's values for a node's nearest CPUs "
                                    "only."));
  }
}

}  // namespace numaheap::numa

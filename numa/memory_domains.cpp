#include "memory_domains.hpp"

#include "kernel_file.hpp"
#include "numaheap/numa/machine.hpp"
#include "thread_affinity.hpp"

namespace numaheap::numa {

namespace {

/// The number of the largest cache of a CPU.
std::optional<unsigned> last_cache_id(const std::string& cpu_directory) {
  std::optional<unsigned> id;
  unsigned highest = 0;
  for (unsigned index = 0; index < 8; ++index) {
    const std::string path = cpu_directory + "/cache/index" + std::to_string(index);
    const auto level = number_in_file(path + "/level");
    if (!level || *level <= highest) continue;
    highest = *level;
    id = number_in_file(path + "/id");
  }
  return id;
}

}  // namespace

std::optional<unsigned> number_in_file(const std::string& path) noexcept {
  KernelFile file(path.c_str());
  unsigned number = 0;
  if (!file.is_open() || !file.next_number(number)) return std::nullopt;
  return number;
}

MemoryDomains::MemoryDomains(const std::string& root) noexcept
    : cpu_directory_(root + "/sys/devices/system/cpu/cpu"),
      node_directory_(root + kNodeDirectory),
      with_memory_(read_machine(node_directory_.c_str()).with_memory) {}

template <class Matches>
NodeSet MemoryDomains::nodes_with_cpu(Matches matches) const noexcept {
  NodeSet nodes;
  for (NodeId node = with_memory_.next(NodeId{0}); node != kNoNode;
       node = with_memory_.next(NodeId{node.value + 1})) {
    CpuSet cpus;
    // A kernel without NUMA lists no CPUs of nodes: then all are those of node 0.
    if (!read_node_cpus(node_directory_.c_str(), node, cpus) && with_memory_.size() == 1)
      cpus.insert(0);
    for (unsigned cpu = cpus.next(0); cpu != CpuSet::kNone; cpu = cpus.next(cpu + 1)) {
      if (!matches(cpu_directory_ + std::to_string(cpu))) continue;
      nodes.insert(node);
      break;
    }
  }
  return nodes;
}

NodeSet MemoryDomains::of_socket(unsigned cpu) const noexcept {
  constexpr const char* kSocket = "/topology/physical_package_id";
  const auto socket = number_in_file(cpu_directory_ + std::to_string(cpu) + kSocket);
  if (!socket) return {};
  return nodes_with_cpu(
      [&](const std::string& directory) { return number_in_file(directory + kSocket) == socket; });
}

NodeSet MemoryDomains::of_last_cache(unsigned id) const noexcept {
  return nodes_with_cpu(
      [&](const std::string& directory) { return last_cache_id(directory) == id; });
}

}  // namespace numaheap::numa

#include "node_cpus.hpp"

#include <algorithm>
#include <fstream>
#include <set>
#include <string>

#include "numaheap/numa/machine.hpp"
#include "thread_affinity.hpp"

namespace numaheap::numa {

namespace {

struct Cache {
  Bytes size;
  std::string cpus;  // that share it
};

Cache last_cache_of(unsigned cpu) {
  Cache last{MiB(32), std::to_string(cpu)};
  unsigned highest = 1;  // a first cache alone is not believed: some virtual machines show no more
  for (unsigned index = 0; index < 8; ++index) {
    const std::string path = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cache/index" +
                             std::to_string(index);
    unsigned level = 0;
    size_t kib = 0;
    std::ifstream(path + "/level") >> level;
    std::ifstream(path + "/size") >> kib;  // "32768K"
    if (level <= highest || kib == 0) continue;
    highest = level;
    last.size = KiB(kib);
    std::ifstream(path + "/shared_cpu_list") >> last.cpus;
  }
  return last;
}

}  // namespace

std::vector<NodeCpus> nodes_with_cpus() noexcept {
  CpuSet allowed;
  if (get_thread_affinity(allowed) != 0) return {};
  const Machine machine = read_machine();
  std::vector<NodeCpus> nodes;
  for (NodeId node = machine.online.next(NodeId{0}); node != kNoNode;
       node = machine.online.next(NodeId{node.value + 1})) {
    CpuSet cpus;
    // A kernel without NUMA has no such lists: all CPUs are node 0's.
    if (!read_node_cpus(kNodeDirectory, node, cpus) && machine.online.size() == 1) cpus = allowed;
    cpus &= allowed;
    NodeCpus own{node, {}};
    for (unsigned cpu = cpus.next(0); cpu != CpuSet::kNone; cpu = cpus.next(cpu + 1))
      own.cpus.push_back(cpu);
    if (!own.cpus.empty()) nodes.push_back(std::move(own));
  }
  return nodes;
}

Bytes last_cache(unsigned cpu) noexcept { return last_cache_of(cpu).size; }

Bytes last_caches(const std::vector<NodeCpus>& nodes) noexcept {
  std::set<std::string> seen;
  Bytes sum;
  for (const NodeCpus& node : nodes) {
    for (unsigned cpu : node.cpus) {
      const Cache cache = last_cache_of(cpu);
      if (seen.insert(cache.cpus).second) sum += cache.size;
    }
  }
  return sum;
}

}  // namespace numaheap::numa

#include "thread_affinity.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "kernel_file.hpp"
#include "numaheap/numa/machine.hpp"

namespace numaheap::numa {

bool read_node_cpus(const char* node_directory, NodeId node, CpuSet& cpus) noexcept {
  KernelFile file(Path(node_directory).add("/node").add(node.value).add("/cpulist").c_str());
  return read_id_list(file, CpuSet::kCapacity, [&](unsigned cpu) { cpus.insert(cpu); });
}

int get_thread_affinity(CpuSet& cpus) noexcept {
  uint64_t words[CpuSet::kCapacity / 64];
  const long bytes = syscall(SYS_sched_getaffinity, 0, sizeof words, words);
  if (bytes < 0) return errno;
  cpus = {};
  for (unsigned cpu = 0; cpu < static_cast<unsigned>(bytes) * 8; ++cpu) {
    if ((words[cpu / 64] >> (cpu % 64) & 1) != 0) cpus.insert(cpu);
  }
  return 0;
}

PinnedToNode::PinnedToNode(NodeId node) noexcept {
  CpuSet cpus;
  if (!read_node_cpus(kNodeDirectory, node, cpus) || cpus.empty()) {
    error_ = ENODEV;
    return;
  }
  error_ = get_thread_affinity(before_);
  if (error_ != 0 || before_.is_subset_of(cpus)) return;
  const Status moved = set_thread_affinity(cpus);
  moved_ = moved.has_value();
  if (!moved_) error_ = moved.error().system_errno;
}

PinnedToNode::~PinnedToNode() {
  if (moved_)
    (void)set_thread_affinity(before_);  // it was the thread's: only a new cpuset can refuse it
}

}  // namespace numaheap::numa

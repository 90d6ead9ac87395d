#include "cpu_mask.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "kernel_file.hpp"
#include "numaheap/numa/machine.hpp"

namespace numaheap::numa {

bool CpuMask::empty() const noexcept {
  for (uint64_t word : words_) {
    if (word != 0) return false;
  }
  return true;
}

bool CpuMask::is_subset_of(const CpuMask& other) const noexcept {
  for (size_t i = 0; i < words_.size(); ++i) {
    if ((words_[i] & ~other.words_[i]) != 0) return false;
  }
  return true;
}

bool read_node_cpus(const char* node_directory, NodeId node, CpuMask& cpus) noexcept {
  KernelFile file(Path(node_directory).add("/node").add(node.value).add("/cpulist").c_str());
  return read_id_list(file, kMaxCpus, [&](unsigned cpu) { cpus.insert(cpu); });
}

int get_thread_affinity(CpuMask& cpus) noexcept {
  return syscall(SYS_sched_getaffinity, 0, sizeof cpus, cpus.words()) < 0 ? errno : 0;
}

int set_thread_affinity(const CpuMask& cpus) noexcept {
  return syscall(SYS_sched_setaffinity, 0, sizeof cpus, cpus.words()) < 0 ? errno : 0;
}

PinnedToNode::PinnedToNode(NodeId node) noexcept {
  CpuMask cpus;
  if (!read_node_cpus(kNodeDirectory, node, cpus) || cpus.empty()) {
    error_ = ENODEV;
    return;
  }
  error_ = get_thread_affinity(before_);
  if (error_ != 0 || before_.is_subset_of(cpus)) return;
  error_ = set_thread_affinity(cpus);
  moved_ = error_ == 0;
}

PinnedToNode::~PinnedToNode() {
  if (moved_) set_thread_affinity(before_);
}

}  // namespace numaheap::numa

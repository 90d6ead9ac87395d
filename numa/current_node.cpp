#include <sched.h>
#include <sys/auxv.h>
#include <sys/rseq.h>

#include <atomic>

#include "kernel_file.hpp"
#include "numaheap/numa/machine.hpp"
#include "thread_affinity.hpp"

namespace numaheap::numa {

namespace {

constexpr unsigned long kAtRseqFeatureSize = 27;  // AT_RSEQ_FEATURE_SIZE, Linux 6.3
constexpr unsigned kNodeIdOffset = 20;  // of struct rseq's node_id, which glibc 2.36 does not name
constexpr unsigned kNodeIdEnd = kNodeIdOffset + sizeof(uint32_t);

enum class RseqNode : int { kUnknown, kFilled, kNotFilled };
std::atomic<RseqNode> rseq_node{RseqNode::kUnknown};

/// Whether the kernel keeps node_id up to date. A kernel that does not leaves it 0 on every node.
bool rseq_has_node() noexcept {
  RseqNode state =
      rseq_node.load(std::memory_order_relaxed);  // relaxed: every thread finds the same
  if (__builtin_expect(state == RseqNode::kUnknown, 0)) {
    const KeepErrno keep_errno;  // getauxval sets ENOENT for an entry that an older kernel lacks
    state = __rseq_size != 0 && getauxval(kAtRseqFeatureSize) >= kNodeIdEnd ? RseqNode::kFilled
                                                                            : RseqNode::kNotFilled;
    rseq_node.store(state, std::memory_order_relaxed);
  }
  return state == RseqNode::kFilled;
}

}  // namespace

NodeId current_node() noexcept {
  if (rseq_has_node()) {
    const char* area = static_cast<const char*>(__builtin_thread_pointer()) + __rseq_offset;
    // volatile: the kernel writes both whenever it moves the thread.
    const auto* rseq = reinterpret_cast<const volatile struct rseq*>(area);
    const auto* node = reinterpret_cast<const volatile uint32_t*>(area + kNodeIdOffset);
    if (static_cast<int32_t>(rseq->cpu_id) >= 0)
      return NodeId{*node};  // negative: this thread is not registered
  }
  const KeepErrno keep_errno;
  unsigned cpu = 0;
  unsigned node = 0;
  return NodeId{getcpu(&cpu, &node) == 0 ? node : 0};
}

NodeId pinned_node(const char* node_directory) noexcept {
  const KeepErrno keep_errno;
  CpuSet mine;
  if (get_thread_affinity(mine) != 0) return kNoNode;
  // The thread runs on a CPU of its mask: no other node than this CPU's can hold them all.
  const NodeId node = current_node();
  CpuSet cpus;
  if (read_node_cpus(node_directory, node, cpus)) return mine.is_subset_of(cpus) ? node : kNoNode;
  const bool has_nodes = KernelFile(Path(node_directory).add("/online").c_str()).is_open();
  return has_nodes ? kNoNode : NodeId{0};
}

}  // namespace numaheap::numa

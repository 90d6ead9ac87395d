#include "policy.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "thread_affinity.hpp"

namespace numaheap::numa {

namespace {

// linux/mempolicy.h of Linux 6.9; older headers lack the last mode.
constexpr int kModePreferred = 1;
constexpr int kModeInterleave = 3;
constexpr int kModeWeightedInterleave = 6;
constexpr int kStaticNodes = 1 << 15;

int bind_memory(uintptr_t start, size_t bytes, int mode, const NodeSet& nodes) noexcept {
  constexpr unsigned long kMaskBits = kMaxNodes + 1;  // mbind(2) reads one bit less than it is told
  return syscall(SYS_mbind, start, bytes, mode | kStaticNodes, nodes.words(), kMaskBits, 0) == 0
             ? 0
             : errno;
}

PolicyRung wanted_rung(Placing placing) noexcept {
  switch (placing) {
    case Placing::kNode:
      return PolicyRung::kPreferred;
    case Placing::kInterleaved:
      return PolicyRung::kInterleave;
    case Placing::kWeighted:
      return PolicyRung::kWeighted;
  }
  return PolicyRung::kFirstTouch;
}

}  // namespace

const char* name(PolicyRung rung) noexcept {
  switch (rung) {
    case PolicyRung::kNotNeeded:
      return "not needed";
    case PolicyRung::kPreferred:
      return "preferred";
    case PolicyRung::kInterleave:
      return "interleave";
    case PolicyRung::kWeighted:
      return "weighted interleave";
    case PolicyRung::kPinnedPopulate:
      return "pinned populate";
    case PolicyRung::kFirstTouch:
      return "first touch";
  }
  return "unknown";
}

int bind_as(PolicyRung rung, uintptr_t start, size_t bytes, const RangeSpec& spec) noexcept {
  switch (rung) {
    case PolicyRung::kPreferred: {
      NodeSet node;
      node.insert(spec.node);
      return bind_memory(start, bytes, kModePreferred, node);
    }
    case PolicyRung::kInterleave:
      return bind_memory(start, bytes, kModeInterleave, spec.nodes);
    case PolicyRung::kWeighted:
      return bind_memory(start, bytes, kModeWeightedInterleave, spec.nodes);
    case PolicyRung::kNotNeeded:
    case PolicyRung::kPinnedPopulate:
    case PolicyRung::kFirstTouch:
      break;
  }
  return 0;
}

Placed place(uintptr_t start, size_t bytes, const RangeSpec& spec, bool try_mbind) noexcept {
  const PolicyRung wanted = wanted_rung(spec.placing);
  int refused = try_mbind ? bind_as(wanted, start, bytes, spec) : EPERM;
  if (refused == 0) return {wanted, 0};
  if (wanted == PolicyRung::kWeighted && try_mbind &&
      bind_as(PolicyRung::kInterleave, start, bytes, spec) == 0) {
    return {PolicyRung::kInterleave, refused};
  }
  if (wanted == PolicyRung::kPreferred && PinnedToNode(spec.node).error() == 0) {
    return {PolicyRung::kPinnedPopulate, refused};
  }
  return {PolicyRung::kFirstTouch, refused};
}

}  // namespace numaheap::numa

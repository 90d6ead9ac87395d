#include "numaheap/numa/own_traffic.hpp"

#include "numaheap/stats/counter.hpp"

namespace numaheap::numa {

namespace {

// Not padded: a mover counts once for some hundred pages.
constinit stats::SharedCounter traffic[kMaxNodes];

}  // namespace

void count_own_traffic(NodeId node, Bytes bytes) noexcept {
  if (node.value < kMaxNodes) traffic[node.value].add(bytes.value);
}

uint64_t own_traffic(NodeId node) noexcept {
  return node.value < kMaxNodes ? traffic[node.value].value() : 0;
}

}  // namespace numaheap::numa

/// \file
/// NodeId: a NUMA node as the kernel numbers it (what numactl(8) prints), and NodeSet: a set of them.
///
/// Node numbers may have holes and nodes may lack CPUs or memory; nothing here assumes otherwise.

#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>

namespace numaheap {

/// The most nodes that the kernel can number (MAX_NUMNODES of x86-64 and arm64 distribution kernels).
inline constexpr unsigned kMaxNodes = 1024;

struct NodeId {
  unsigned value = 0;
  constexpr auto operator<=>(const NodeId&) const = default;
};

/// "No node": what home_node() answers for memory that is not ours.
inline constexpr NodeId kNoNode{~0u};

/// A set of node ids below kMaxNodes in the layout that mbind(2) takes.
class NodeSet {
 public:
  constexpr void insert(NodeId node) {
    words_[node.value / 64] |= uint64_t{1} << (node.value % 64);
  }
  constexpr void erase(NodeId node) {
    words_[node.value / 64] &= ~(uint64_t{1} << (node.value % 64));
  }
  [[nodiscard]] constexpr bool contains(NodeId node) const {
    return node.value < kMaxNodes && (words_[node.value / 64] >> (node.value % 64) & 1) != 0;
  }
  [[nodiscard]] constexpr unsigned size() const {
    unsigned n = 0;
    for (uint64_t word : words_) n += static_cast<unsigned>(__builtin_popcountll(word));
    return n;
  }
  [[nodiscard]] constexpr bool empty() const { return size() == 0; }
  /// The lowest member at or above `from`, or kNoNode. `for (n = s.next(NodeId{0}); n != kNoNode; n = s.next({n.value + 1}))`.
  [[nodiscard]] constexpr NodeId next(NodeId from) const {
    for (unsigned n = from.value; n < kMaxNodes; ++n) {
      if (contains(NodeId{n})) return NodeId{n};
    }
    return kNoNode;
  }
  [[nodiscard]] constexpr const uint64_t* words() const { return words_.data(); }
  constexpr bool operator==(const NodeSet&) const = default;

 private:
  std::array<uint64_t, kMaxNodes / 64> words_{};
};

}  // namespace numaheap

/// \file
/// Placement: where memory is to lie. A value of eight bytes; making one costs nothing and checks nothing.

#pragma once

#include <cstdint>

#include "numaheap/base/node_id.hpp"

namespace numaheap {

class Placement {
 public:
  enum class Kind : uint32_t { kLocal, kNode, kInterleaved, kWeighted };

  /// The home node of the thread that allocates.
  static constexpr Placement local() { return {Kind::kLocal, kNoNode}; }
  /// One node, as numactl(8) numbers it. If it is full, its memory spills to the nearest node and is counted.
  static constexpr Placement node(NodeId node) { return {Kind::kNode, node}; }
  /// Page by page over all allowed nodes (2 MiB by 2 MiB where huge pages are on).
  static constexpr Placement interleaved() { return {Kind::kInterleaved, kNoNode}; }
  /// Interleaved by the kernel's weights (Linux 6.9; plain interleaving before that, which is reported).
  static constexpr Placement weighted() { return {Kind::kWeighted, kNoNode}; }

  [[nodiscard]] constexpr Kind kind() const { return kind_; }
  /// \pre kind() == Kind::kNode.
  [[nodiscard]] constexpr NodeId node() const { return node_; }
  constexpr bool operator==(const Placement&) const = default;

 private:
  constexpr Placement(Kind kind, NodeId node) : kind_(kind), node_(node) {}

  Kind kind_;
  NodeId node_;
};

}  // namespace numaheap

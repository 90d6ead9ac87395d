/// \file
/// ExtentTree: disjoint free extents by address, neighbours merged, the lowest one that fits found in O(log n).
///
/// A treap over nodes from a MetaPool; each node knows the longest extent below it. Owner: the ExtentPool, under its
/// lock. Source: C. Aragon, R. Seidel, "Randomized Search Trees"; the priority is a hash of the address.

#pragma once

#include <cstddef>
#include <cstdint>

#include "meta_pool.hpp"

namespace numaheap::alloc {

struct Extent {
  uintptr_t start = 0;
  size_t bytes = 0;
};

class ExtentTree {
 public:
  constexpr ExtentTree() = default;

  /// Adds a free extent and merges it with its neighbours.
  /// \returns false if there is no memory for a node: nothing is changed.
  [[nodiscard]] bool insert(Extent extent, MetaPool& pool) noexcept;

  /// Takes `bytes` at `alignment` from the lowest extent that surely has room for both; what it leaves stays.
  /// \returns bytes == 0 if there is none.
  [[nodiscard]] Extent take_first_fit(size_t bytes, size_t alignment, MetaPool& pool) noexcept;
  /// Takes exactly [start, start + bytes) if it is free as a whole.
  [[nodiscard]] bool take_at(uintptr_t start, size_t bytes, MetaPool& pool) noexcept;
  /// Takes [from, end) of the extent that ends at `end`, or all of it if it starts later; bytes == 0 if there is none.
  [[nodiscard]] Extent take_ending_at(uintptr_t end, uintptr_t from, MetaPool& pool) noexcept;
  /// Takes [start, to) of the extent that starts at `start`, or all of it if it ends earlier.
  [[nodiscard]] Extent take_starting_at(uintptr_t start, uintptr_t to, MetaPool& pool) noexcept;
  /// Takes at most `limit` bytes from the lowest extent; bytes == 0 if the tree is empty.
  [[nodiscard]] Extent take_lowest(size_t limit, MetaPool& pool) noexcept;

  /// The lowest extent that ends after `address`; bytes == 0 if there is none.
  [[nodiscard]] Extent first_after(uintptr_t address) const noexcept;

  [[nodiscard]] size_t total_bytes() const noexcept { return total_; }

  /// Order, priorities, longest lengths and the total; aborts if one is wrong. O(n).
  void check_invariants() const noexcept;

 private:
  struct Node {
    uintptr_t start;
    size_t bytes;
    size_t longest;  ///< Of this subtree.
    Node* left;
    Node* right;
  };

  static uint64_t priority(const Node* node) noexcept;
  static void update(Node* node) noexcept;
  static void split(Node* tree, uintptr_t start, Node** below, Node** above) noexcept;
  static Node* merge(Node* below, Node* above) noexcept;
  static void check(const Node* node, uintptr_t from, uintptr_t to, size_t* total) noexcept;

  Node* remove(
      uintptr_t start) noexcept;  ///< The node that starts there, taken out; nullptr if none.
  void insert_node(Node* node) noexcept;
  bool carve(Node* found, uintptr_t start, size_t bytes, MetaPool& pool) noexcept;

  Node* root_ = nullptr;
  size_t total_ = 0;
};

}  // namespace numaheap::alloc

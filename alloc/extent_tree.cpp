#include "extent_tree.hpp"

#include "numaheap/base/check.hpp"

namespace numaheap::alloc {

uint64_t ExtentTree::priority(const Node* node) noexcept {
  uint64_t hash = node->start >> 12;
  hash *= 0x9e3779b97f4a7c15u;
  hash ^= hash >> 29;
  return hash * 0xbf58476d1ce4e5b9u;
}

void ExtentTree::update(Node* node) noexcept {
  size_t longest = node->bytes;
  if (node->left != nullptr && node->left->longest > longest) longest = node->left->longest;
  if (node->right != nullptr && node->right->longest > longest) longest = node->right->longest;
  node->longest = longest;
}

void ExtentTree::split(Node* tree, uintptr_t start, Node** below, Node** above) noexcept {
  if (tree == nullptr) {
    *below = *above = nullptr;
  } else if (tree->start < start) {
    split(tree->right, start, &tree->right, above);
    update(tree);
    *below = tree;
  } else {
    split(tree->left, start, below, &tree->left);
    update(tree);
    *above = tree;
  }
}

ExtentTree::Node* ExtentTree::merge(Node* below, Node* above) noexcept {
  if (below == nullptr) return above;
  if (above == nullptr) return below;
  if (priority(below) > priority(above)) {
    below->right = merge(below->right, above);
    update(below);
    return below;
  }
  above->left = merge(below, above->left);
  update(above);
  return above;
}

ExtentTree::Node* ExtentTree::remove(uintptr_t start) noexcept {
  Node* below;
  Node* rest;
  Node* found;
  Node* above;
  split(root_, start, &below, &rest);
  split(rest, start + 1, &found, &above);
  root_ = merge(below, above);
  if (found != nullptr) total_ -= found->bytes;
  return found;
}

void ExtentTree::insert_node(Node* node) noexcept {
  Node* below;
  Node* above;
  node->left = node->right = nullptr;
  update(node);
  total_ += node->bytes;
  split(root_, node->start, &below, &above);
  root_ = merge(merge(below, node), above);
}

bool ExtentTree::insert(Extent extent, MetaPool& pool) noexcept {
  Node* below = nullptr;  // the neighbour that ends where we start
  Node* above = nullptr;  // the one that starts where we end
  for (Node* node = root_; node != nullptr;) {
    if (node->start < extent.start) {
      if (node->start + node->bytes == extent.start) below = node;
      node = node->right;
    } else {
      if (node->start == extent.start + extent.bytes) above = node;
      node = node->left;
    }
  }
  Node* node = nullptr;
  if (below != nullptr) {
    node = remove(below->start);
    node->bytes += extent.bytes;
  }
  if (above != nullptr) {
    Node* next = remove(above->start);
    if (node != nullptr) {
      node->bytes += next->bytes;
      pool.deallocate(next, sizeof(Node));
    } else {
      next->start = extent.start;
      next->bytes += extent.bytes;
      node = next;
    }
  }
  if (node == nullptr) {
    node = static_cast<Node*>(pool.allocate(sizeof(Node)));
    if (node == nullptr) return false;
    node->start = extent.start;
    node->bytes = extent.bytes;
  }
  insert_node(node);
  return true;
}

bool ExtentTree::carve(Node* found, uintptr_t start, size_t bytes, MetaPool& pool) noexcept {
  const uintptr_t end = found->start + found->bytes;
  const size_t before = start - found->start;
  const size_t after = end - (start + bytes);
  Node* second = nullptr;
  if (before != 0 && after != 0) {
    second = static_cast<Node*>(pool.allocate(sizeof(Node)));
    if (second == nullptr) return false;
  }
  Node* node = remove(found->start);
  if (before != 0) {
    node->bytes = before;
    insert_node(node);
    node = second;
  }
  if (after != 0) {
    node->start = start + bytes;
    node->bytes = after;
    insert_node(node);
  } else if (node != nullptr) {
    pool.deallocate(node, sizeof(Node));
  }
  return true;
}

Extent ExtentTree::take_first_fit(size_t bytes, size_t alignment, MetaPool& pool) noexcept {
  const size_t need = bytes + (alignment > 4096 ? alignment - 4096 : 0);
  Node* node = root_;
  while (node != nullptr && node->longest >= need) {
    if (node->left != nullptr && node->left->longest >= need) {
      node = node->left;
    } else if (node->bytes >= need) {
      const uintptr_t start = (node->start + alignment - 1) & ~(alignment - 1);
      return carve(node, start, bytes, pool) ? Extent{start, bytes} : Extent{};
    } else {
      node = node->right;
    }
  }
  return {};
}

bool ExtentTree::take_at(uintptr_t start, size_t bytes, MetaPool& pool) noexcept {
  Node* node = root_;
  while (node != nullptr && (start < node->start || start >= node->start + node->bytes)) {
    node = start < node->start ? node->left : node->right;
  }
  return node != nullptr && node->start + node->bytes - start >= bytes &&
         carve(node, start, bytes, pool);
}

Extent ExtentTree::take_ending_at(uintptr_t end, uintptr_t from, MetaPool& pool) noexcept {
  Node* node = root_;
  while (node != nullptr && node->start + node->bytes != end) {
    node = end <= node->start ? node->left : node->right;
  }
  if (node == nullptr || from >= end) return {};
  const uintptr_t start = from > node->start ? from : node->start;
  return carve(node, start, end - start, pool) ? Extent{start, end - start} : Extent{};
}

Extent ExtentTree::take_starting_at(uintptr_t start, uintptr_t to, MetaPool& pool) noexcept {
  Node* node = root_;
  while (node != nullptr && node->start != start) {
    node = start < node->start ? node->left : node->right;
  }
  if (node == nullptr || to <= start) return {};
  const size_t bytes = to - start < node->bytes ? to - start : node->bytes;
  return carve(node, start, bytes, pool) ? Extent{start, bytes} : Extent{};
}

Extent ExtentTree::take_lowest(size_t limit, MetaPool& pool) noexcept {
  Node* node = root_;
  if (node == nullptr) return {};
  while (node->left != nullptr) node = node->left;
  const Extent extent{node->start, node->bytes < limit ? node->bytes : limit};
  return carve(node, extent.start, extent.bytes, pool) ? extent : Extent{};
}

Extent ExtentTree::first_after(uintptr_t address) const noexcept {
  Extent found;
  for (const Node* node = root_; node != nullptr;) {
    if (node->start + node->bytes > address) {
      found = {node->start, node->bytes};
      node = node->left;
    } else {
      node = node->right;
    }
  }
  return found;
}

void ExtentTree::check(const Node* node, uintptr_t from, uintptr_t to, size_t* total) noexcept {
  if (node == nullptr) return;
  NH_CHECK(node->bytes != 0 && node->start >= from && node->start + node->bytes <= to);
  size_t longest = node->bytes;
  for (const Node* child : {node->left, node->right}) {
    if (child == nullptr) continue;
    NH_CHECK(priority(child) <= priority(node));
    if (child->longest > longest) longest = child->longest;
  }
  NH_CHECK(node->longest == longest);
  *total += node->bytes;
  // strictly apart: touching neighbours would have been merged
  check(node->left, from, node->start == 0 ? 0 : node->start - 1, total);
  check(node->right, node->start + node->bytes + 1, to, total);
}

void ExtentTree::check_invariants() const noexcept {
  size_t total = 0;
  check(root_, 0, ~uintptr_t{0}, &total);
  NH_CHECK(total == total_);
}

}  // namespace numaheap::alloc

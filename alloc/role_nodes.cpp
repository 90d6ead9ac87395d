#include "role_nodes.hpp"

#include <algorithm>

#include "numaheap/alloc.hpp"
#include "numaheap/limits.hpp"

namespace numaheap::alloc {

namespace {

/// 0 is no limit.
Bytes least(Bytes a, Bytes b) noexcept {
  if (a.value == 0 || b.value == 0) return std::max(a, b);
  return std::min(a, b);
}

/// What all roles together say of one node.
struct NodeRole {
  Limit limit;
  const numa::RoleEntry* spill = nullptr;
};

NodeRole role_of_node(const numa::RoleTable& table, NodeId node) noexcept {
  NodeRole all;
  for (unsigned i = 0; i < table.size(); ++i) {
    const numa::RoleEntry& role = table[i];
    if (!role.nodes.contains(node)) continue;
    all.limit.soft = least(all.limit.soft, role.soft_limit);
    all.limit.hard = least(all.limit.hard, role.hard_limit);
    if (all.spill == nullptr && role.spill_count != 0) all.spill = &role;
  }
  // One role's hard limit may be below another's soft one.
  if (all.limit.hard.value != 0) all.limit.soft = std::min(all.limit.soft, all.limit.hard);
  return all;
}

bool is_set(const Limit& limit) noexcept { return limit.soft.value != 0 || limit.hard.value != 0; }

}  // namespace

Placement placement_of_role(const numa::RoleEntry& role) noexcept {
  const NodeId first = role.nodes.next(NodeId{0});
  switch (role.memory) {
    case numa::RoleMemory::kLocal:
      // Pinned to one node: the home is that node from now on, not only when the heap notices that the thread moved.
      return !role.cpus.empty() && role.nodes.size() == 1 ? Placement::node(first)
                                                          : Placement::local();
    case numa::RoleMemory::kNode:
      return Placement::node(first);
    case numa::RoleMemory::kInterleaved:
      return Placement::interleaved();
    case numa::RoleMemory::kWeighted:
      return Placement::weighted();
  }
  return Placement::local();
}

void set_up_role_nodes(const numa::RoleTable& table, RoleRefused refused, void* context) noexcept {
  const auto keep = [&](NodeId node, const char* what, const Status& status) {
    if (!status) refused(node, what, status.error(), context);
  };
  for (NodeId node{0}; node.value < kMaxNodes; ++node.value) {
    const NodeRole role = role_of_node(table, node);
    if (is_set(role.limit)) keep(node, "limit", set_node_limit(node, role.limit));
    if (role.spill != nullptr) {
      keep(node, "spill order",
           set_spill_order(node, {role.spill->spill, role.spill->spill_count}));
    }
  }
}

void lift_role_limits(const numa::RoleTable& table) noexcept {
  for (NodeId node{0}; node.value < kMaxNodes; ++node.value) {
    // A node that has no heap had no limit either.
    if (is_set(role_of_node(table, node).limit)) (void)set_node_limit(node, {});
  }
}

}  // namespace numaheap::alloc

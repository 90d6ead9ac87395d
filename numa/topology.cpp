#include "numaheap/numa/topology.hpp"

#include <algorithm>

#include "hwloc_view.hpp"
#include "location.hpp"

namespace numaheap::numa {

namespace {

/// \tparam Next  the lowest member at or above a number, or ~0u.
template <class Next>
std::string format_list(Next next) {
  std::string text;
  for (unsigned first = next(0); first != ~0u;) {
    unsigned last = first;
    unsigned following = next(last + 1);
    while (following == last + 1) following = next(++last + 1);
    if (!text.empty()) text += ',';
    text += std::to_string(first);
    if (last != first) text += '-' + std::to_string(last);
    first = following;
  }
  return text.empty() ? "none" : text;
}

}  // namespace

Topology::Topology() = default;
Topology::Topology(Topology&& other) noexcept = default;
Topology& Topology::operator=(Topology&& other) noexcept = default;
Topology::~Topology() = default;

const TopologyNode* Topology::node(NodeId id) const noexcept {
  const auto found =
      std::lower_bound(nodes_.begin(), nodes_.end(), id,
                       [](const TopologyNode& node, NodeId wanted) { return node.id < wanted; });
  return found != nodes_.end() && found->id == id ? &*found : nullptr;
}

NodeSet Topology::nodes_of(const CpuSet& cpus) const noexcept {
  NodeSet nodes;
  for (const TopologyNode& node : nodes_) {
    if (!(node.cpus & cpus).empty()) nodes.insert(node.id);
  }
  return nodes;
}

std::optional<unsigned> Topology::distance(NodeId from, NodeId to) const noexcept {
  const TopologyNode* source = node(from);
  const TopologyNode* target = node(to);
  if (distances_.empty() || source == nullptr || target == nullptr) return std::nullopt;
  const auto row = static_cast<size_t>(source - nodes_.data());
  const auto column = static_cast<size_t>(target - nodes_.data());
  return distances_[row * nodes_.size() + column];
}

std::vector<NodeId> Topology::nearest(NodeId from) const noexcept {
  std::vector<NodeId> order;
  for (const TopologyNode& node : nodes_) {
    if (node.id != from && usable_nodes_.contains(node.id)) order.push_back(node.id);
  }
  std::stable_sort(order.begin(), order.end(), [&](NodeId a, NodeId b) {
    return distance(from, a).value_or(0) < distance(from, b).value_or(0);
  });
  return order;
}

std::optional<CpuSet> Topology::locate(std::string_view locations,
                                       std::string& problem) const noexcept {
  return LocationReader(*this, hwloc_->handle, problem).read(locations);
}

std::string to_list(const CpuSet& cpus) noexcept {
  return format_list([&](unsigned from) { return cpus.next(from); });
}

std::string to_list(const NodeSet& nodes) noexcept {
  return format_list([&](unsigned from) { return nodes.next(NodeId{from}).value; });
}

}  // namespace numaheap::numa

#include "topo_command.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "numaheap/numa/topology.hpp"
#include "refusal.hpp"

namespace numaheap::cli {

namespace {

using nlohmann::ordered_json;
using numa::MemoryFigures;
using numa::Topology;
using numa::TopologyNode;

template <class T>
ordered_json or_null(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

std::string size_text(Bytes size) {
  if (size.value == 0) return "-";
  if (size >= GiB(1))
    return fmt::format("{:.1f} GiB",
                       static_cast<double>(size.value) / static_cast<double>(GiB(1).value));
  return fmt::format("{} MiB", size.value / MiB(1).value);
}

const MemoryFigures* figures(const TopologyNode& node, NodeId from) {
  for (const MemoryFigures& figure : node.figures) {
    if (figure.from == from) return &figure;
  }
  return nullptr;
}

/// A table of one figure: rows are the CPUs' nodes, columns the memory's.
template <class Figure>
std::string matrix(const Topology& topology, const std::string& title, bool cpus_only,
                   Figure figure) {
  std::string text = fmt::format("\n{}\n  from \\ to", title);
  for (const TopologyNode& to : topology.nodes()) text += fmt::format("{:>8}", to.id.value);
  for (const TopologyNode& from : topology.nodes()) {
    if (cpus_only && from.cpus.empty()) continue;
    text += fmt::format("\n  {:>9}", from.id.value);
    for (const TopologyNode& to : topology.nodes()) {
      const std::optional<uint64_t> value = figure(from, to);
      text += value ? fmt::format("{:>8}", *value) : fmt::format("{:>8}", "-");
    }
  }
  return text + '\n';
}

std::string to_text(const Topology& topology) {
  bool has_bandwidth = false;
  bool has_latency = false;
  std::string text = fmt::format("Topology: {}\n\n{:>4}  {:>6}  {:<20} {:>12}\n", topology.source(),
                                 "node", "numa:K", "CPUs", "memory");
  for (const TopologyNode& node : topology.nodes()) {
    std::string notes = node.kind;
    if (!node.allowed) notes += (notes.empty() ? "" : ", ") + std::string("not allowed");
    std::string line =
        fmt::format("{:>4}  {:>6}  {:<20} {:>12}  {}", node.id.value, node.logical_index,
                    to_list(node.cpus), size_text(node.memory), notes);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
    for (const MemoryFigures& figure : node.figures) {
      has_bandwidth = has_bandwidth || figure.bandwidth_mib_per_s.has_value();
      has_latency = has_latency || figure.latency_ns.has_value();
    }
  }
  if (topology.nodes().size() > 1 &&
      topology.distance(topology.nodes()[0].id, topology.nodes()[1].id)) {
    text += matrix(topology, "Distances (SLIT, 10 is local)", false,
                   [&](const TopologyNode& from, const TopologyNode& to) {
                     return std::optional<uint64_t>(topology.distance(from.id, to.id));
                   });
  }
  const auto figure = [](auto member) {
    return [member](const TopologyNode& from, const TopologyNode& to) {
      const MemoryFigures* seen = figures(to, from.id);
      return seen == nullptr ? std::nullopt : seen->*member;
    };
  };
  const char* by = topology.is_measured() ? "as measured" : "by the firmware (HMAT)";
  if (has_bandwidth)
    text += matrix(topology, fmt::format("Bandwidth {}, MiB/s", by), true,
                   figure(&MemoryFigures::bandwidth_mib_per_s));
  if (has_latency)
    text += matrix(topology, fmt::format("Latency {}, ns", by), true,
                   figure(&MemoryFigures::latency_ns));
  if (!topology.missing().empty()) text += "\nMissing\n";
  for (const std::string& sentence : topology.missing()) text += fmt::format("  {}\n", sentence);
  return text;
}

ordered_json to_json(const Topology& topology) {
  ordered_json nodes = ordered_json::array();
  for (const TopologyNode& node : topology.nodes()) {
    ordered_json distances = ordered_json::object();
    for (const TopologyNode& to : topology.nodes()) {
      if (const auto distance = topology.distance(node.id, to.id))
        distances[std::to_string(to.id.value)] = *distance;
    }
    ordered_json seen_from = ordered_json::array();
    for (const MemoryFigures& figure : node.figures) {
      seen_from.push_back({{"node", figure.from.value},
                           {"bandwidth_mib_per_s", or_null(figure.bandwidth_mib_per_s)},
                           {"latency_ns", or_null(figure.latency_ns)}});
    }
    nodes.push_back({{"node", node.id.value},
                     {"location", fmt::format("numa:{}", node.logical_index)},
                     {"kind", node.kind.empty() ? ordered_json(nullptr) : ordered_json(node.kind)},
                     {"cpus", node.cpus.empty() ? "" : to_list(node.cpus)},
                     {"memory_bytes", node.memory.value},
                     {"allowed", node.allowed},
                     {"distances", std::move(distances)},
                     {"seen_from", std::move(seen_from)}});
  }
  const auto list = [](const auto& set) {
    return set.empty() ? std::string() : numa::to_list(set);
  };
  return {{"source", topology.source()},
          {"is_this_system", topology.is_this_system()},
          {"is_measured", topology.is_measured()},
          {"online_cpus", list(topology.online_cpus())},
          {"allowed_cpus", list(topology.allowed_cpus())},
          {"offline_cpus", list(topology.offline_cpus())},
          {"usable_nodes", list(topology.usable_nodes())},
          {"nodes", std::move(nodes)},
          {"missing", topology.missing()}};
}

}  // namespace

int print_topology(const std::string& source, bool as_json) {
  const Result<Topology> topology = Topology::load(source);
  if (!topology) {
    fmt::print(stderr, "numaheap topo: --source \"{}\": {}\n", source, topology.error().text);
    return kWrongInput;
  }
  fmt::print("{}", as_json ? to_json(*topology).dump(2, ' ', false,
                                                     ordered_json::error_handler_t::replace) +
                                 '\n'
                           : to_text(*topology));
  return kDone;
}

}  // namespace numaheap::cli

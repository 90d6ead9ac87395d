#include <sys/mman.h>

#include <cstring>

#include "numaheap/numa/roles.hpp"
#include "policy.hpp"

namespace numaheap::numa {

namespace {

const char* memory_word(RoleMemory memory) {
  switch (memory) {
    case RoleMemory::kLocal:
      return "local";
    case RoleMemory::kNode:
      return "node";
    case RoleMemory::kInterleaved:
      return "interleaved";
    case RoleMemory::kWeighted:
      return "weighted";
  }
  return "";
}

/// "0x3", words above the lowest as mbind(2) counts them: the last digit is nodes 0 to 3.
std::string mask_of(const NodeSet& nodes) {
  std::string digits;
  for (unsigned first = 0; first < kMaxNodes; first += 4) {
    unsigned digit = 0;
    for (unsigned bit = 0; bit < 4; ++bit)
      digit |= unsigned{nodes.contains(NodeId{first + bit})} << bit;
    digits.insert(digits.begin(), "0123456789abcdef"[digit]);
  }
  const size_t significant = digits.find_first_not_of('0');
  return "0x" + (significant == std::string::npos ? "0" : digits.substr(significant));
}

template <class Function>
void for_each(const NodeSet& nodes, Function function) {
  for (NodeId node = nodes.next(NodeId{0}); node != kNoNode;
       node = nodes.next(NodeId{node.value + 1}))
    function(node);
}

/// What the kernel does with a policy, asked on a page of its own.
Placed try_policy(const RangeSpec& spec) {
  constexpr size_t kPageBytes = 4096;
  void* page =
      mmap(nullptr, kPageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (page == MAP_FAILED) return {};
  const Placed placed = place(reinterpret_cast<uintptr_t>(page), kPageBytes, spec, true);
  munmap(page, kPageBytes);
  return placed;
}

void explain_range(const RolePlan& plan, const RangeSpec& spec, RoleExplanation& role) {
  NodeSet nodes = spec.nodes;
  std::string range =
      spec.placing == Placing::kWeighted ? "the weighted range" : "the interleaved range";
  const char* mode =
      spec.placing == Placing::kWeighted ? "MPOL_WEIGHTED_INTERLEAVE" : "MPOL_INTERLEAVE";
  if (spec.placing == Placing::kNode) {
    nodes.insert(spec.node);
    range = "the range of node " + std::to_string(spec.node.value);
    mode = "MPOL_PREFERRED";
  }
  role.system_calls.push_back("mbind(" + range + ", " + mode + ", " + mask_of(nodes) + ')');
  if (!plan.topology->is_this_system()) return;
  const Placed placed = try_policy(spec);
  if (placed.refused_errno != 0) {
    role.refused.push_back("The kernel refuses mbind(" + std::string(mode) + ") on " + range +
                           " (" + std::strerror(placed.refused_errno) +
                           "): its pages are placed by \"" + name(placed.rung) + "\".");
  }
}

void explain_memory(const RolePlan& plan, const Role& role, RoleExplanation& explanation) {
  if (plan.topology->nodes().size() == 1) return;  // nothing is bound
  switch (role.memory) {
    case RoleMemory::kLocal:
    case RoleMemory::kNode:
      for_each(role.nodes, [&](NodeId node) {
        explain_range(plan, {Placing::kNode, node, {}}, explanation);
      });
      break;
    case RoleMemory::kInterleaved:
      explain_range(plan, {Placing::kInterleaved, kNoNode, role.nodes}, explanation);
      break;
    case RoleMemory::kWeighted:
      explain_range(plan, {Placing::kWeighted, kNoNode, role.nodes}, explanation);
      break;
  }
}

void explain_refusals(const RolePlan& plan, const Role& role, RoleExplanation& explanation) {
  const Topology& topology = *plan.topology;
  if (!role.refused_cpus.empty()) {
    explanation.refused.push_back(std::string(role.refused_cpus.size() == 1 ? "CPU " : "CPUs ") +
                                  to_list(role.refused_cpus) +
                                  " may not be run on: the cgroup's cpuset says so.");
  }
  if (role.memory != RoleMemory::kLocal || role.cpus.empty()) return;
  for_each(topology.nodes_of(role.cpus), [&](NodeId id) {
    if (topology.usable_nodes().contains(id)) return;
    const bool allowed = topology.node(id)->allowed;
    explanation.refused.push_back(
        "Threads on node " + std::to_string(id.value) +
        " get no memory there: " + (allowed ? "it has none" : "the cgroup's cpuset forbids it") +
        "; theirs comes from the nearest node.");
  });
}

std::vector<SpillOrder> spill_orders(const RolePlan& plan, const Role& role) {
  std::vector<SpillOrder> orders;
  if (role.memory != RoleMemory::kLocal && role.memory != RoleMemory::kNode) return orders;
  for_each(role.nodes, [&](NodeId from) {
    SpillOrder order{from, {}};
    if (role.spill.empty()) {
      order.to = plan.topology->nearest(from);
    } else {
      for (NodeId to : role.spill) {
        if (to != from) order.to.push_back(to);
      }
    }
    if (!order.to.empty()) orders.push_back(std::move(order));
  });
  return orders;
}

std::string size_text(Bytes size) {
  size_t value = size.value;
  const char* const units[] = {" bytes", "KiB", "MiB", "GiB", "TiB"};
  unsigned unit = 0;
  for (; unit < 4 && value % 1024 == 0; ++unit) value /= 1024;
  return std::to_string(value) + units[unit];
}

std::string line(const char* label, const std::string& text) {
  std::string start = "  " + std::string(label);
  start.resize(16, ' ');
  return start + text + '\n';
}

}  // namespace

std::vector<RoleExplanation> explain(const RolePlan& plan) noexcept {
  std::vector<RoleExplanation> explanations;
  for (const Role& role : plan.roles) {
    RoleExplanation& explanation = explanations.emplace_back();
    explanation.name = role.name;
    explanation.threads = role.threads;
    explanation.where = role.where;
    if (!role.cpus.empty()) {
      explanation.cpus = to_list(role.cpus);
      explanation.system_calls.push_back("sched_setaffinity(each thread, " + explanation.cpus +
                                         ')');
    }
    explanation.memory = memory_word(role.memory);
    explanation.nodes = to_list(role.nodes);
    explanation.node_mask = mask_of(role.nodes);
    explanation.spill = spill_orders(plan, role);
    explanation.soft_limit = role.soft_limit;
    explanation.hard_limit = role.hard_limit;
    explain_refusals(plan, role, explanation);
    explain_memory(plan, role, explanation);
  }
  return explanations;
}

std::string to_text(const std::vector<RoleExplanation>& explanation) noexcept {
  std::string text;
  for (const RoleExplanation& role : explanation) {
    text += "role " + role.name + '\n';
    std::string threads;
    for (const std::string& pattern : role.threads)
      threads += (threads.empty() ? "" : ", ") + pattern;
    if (threads.empty())
      threads = role.name == "default" ? "all that no other role takes" : "those that join by call";
    text += line("threads", threads);
    text += line("CPUs", role.cpus.empty() ? "not pinned" : role.cpus + " (" + role.where + ')');
    text +=
        line("memory", role.memory + ", nodes " + role.nodes + " (mask " + role.node_mask + ')');
    for (const SpillOrder& order : role.spill) {
      std::string nodes;
      for (NodeId node : order.to)
        nodes += (nodes.empty() ? "" : ", ") + std::to_string(node.value);
      text += line("spill", "from node " + std::to_string(order.from.value) + " to " + nodes);
    }
    if (role.soft_limit.value != 0)
      text += line("soft limit", size_text(role.soft_limit) + " live on each node");
    if (role.hard_limit.value != 0)
      text += line("hard limit", size_text(role.hard_limit) + " live on each node");
    for (const std::string& call : role.system_calls) text += line("system call", call);
    for (const std::string& sentence : role.refused) text += line("refused", sentence);
  }
  return text;
}

}  // namespace numaheap::numa

#include "role_reader.hpp"

#include <algorithm>
#include <sstream>

namespace numaheap::numa {

namespace {

constexpr const char* kRoleKeys = "threads, where, memory, spill, soft_limit and hard_limit";

/// As it would be written in TOML.
std::string to_toml(const toml::node& node) {
  if (const auto* text = node.as_string()) return '"' + text->get() + '"';
  if (const toml::array* list = node.as_array()) {
    std::string text;
    for (const toml::node& element : *list) text += (text.empty() ? "" : ", ") + to_toml(element);
    return '[' + text + ']';
  }
  std::ostringstream stream;
  node.visit([&](const auto& value) { stream << value; });
  return stream.str();
}

unsigned line_of(const toml::source_region& region) { return region.begin.line; }

std::vector<std::pair<const toml::key*, const toml::node*>> in_file_order(
    const toml::table& table) {
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (const auto& [key, value] : table) entries.emplace_back(&key, &value);
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    const auto& left = a.first->source().begin;
    const auto& right = b.first->source().begin;
    return left.line != right.line ? left.line < right.line : left.column < right.column;
  });
  return entries;
}

bool is_name(std::string_view name) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  return !name.empty() && name.size() <= kMaxRoleName &&
         name.find_first_not_of(kLetters) == std::string_view::npos;
}

}  // namespace

void RoleReader::mistake(const Entry& entry, const toml::node* value, std::string problem) {
  const unsigned line =
      value == nullptr || line_of(value->source()) == 0 ? entry.line : line_of(value->source());
  mistakes_.push_back({file_, line, entry.key,
                       value == nullptr || value->is_table() ? "" : to_toml(*value),
                       std::move(problem)});
}

RoleResult RoleReader::refused() {
  RoleResult result;
  result.mistakes = std::move(mistakes_);
  return result;
}

RoleResult RoleReader::read(std::string_view toml) {
  const toml::parse_result parsed = toml::parse(toml, std::string_view(file_));
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    mistakes_.push_back(
        {file_, line_of(error.source()), "", "", "not TOML: " + std::string(error.description())});
    return refused();
  }
  const toml::table& root = parsed.table();
  for (const auto& [key, value] : in_file_order(root)) {
    if (*key == "topology" || *key == "roles") continue;
    mistake({std::string(key->str()), value, line_of(key->source())},
            "this is not known; accepted are [topology] and [roles.NAME]");
  }
  read_topology(root);
  Role everyone;
  everyone.name = "default";
  if (topology_ != nullptr) everyone.nodes = memory_nodes(*topology_, everyone);
  roles_.push_back(std::move(everyone));
  read_roles(root);
  if (!mistakes_.empty()) {
    std::stable_sort(mistakes_.begin(), mistakes_.end(),
                     [](const RoleMistake& a, const RoleMistake& b) { return a.line < b.line; });
    return refused();
  }
  RoleResult result;
  result.plan.emplace(RolePlan{std::move(topology_), std::move(roles_)});
  return result;
}

void RoleReader::read_topology(const toml::table& root) {
  std::string source = "live";
  Entry entry{"topology", root.get("topology"), 0};
  if (entry.value != nullptr && !entry.value->is_table()) {
    mistake(entry, "this is not a table; accepted is [topology] with the key source");
    return;
  }
  if (entry.value != nullptr) {
    for (const auto& [key, value] : in_file_order(*entry.value->as_table())) {
      entry = {"topology." + std::string(key->str()), value, line_of(key->source())};
      if (*key != "source") {
        mistake(entry, "this is not known; accepted is source");
      } else if (!value->is_string()) {
        mistake(entry,
                "this is not a string; accepted are \"live\", \"xml:PATH\" and a synthetic "
                "topology of hwloc");
        return;
      } else {
        source = value->as_string()->get();
      }
    }
  }
  const size_t folder = file_.rfind('/');
  if (source.starts_with("xml:") && !source.starts_with("xml:/") && folder != std::string::npos) {
    source.insert(4, file_.substr(0, folder + 1));
  }
  Result<Topology> topology = Topology::load(source);
  if (topology) {
    topology_ = std::make_unique<const Topology>(std::move(*topology));
  } else {
    mistake(entry, topology.error().text);
  }
}

void RoleReader::read_roles(const toml::table& root) {
  const toml::node* roles = root.get("roles");
  if (roles == nullptr) return;
  if (!roles->is_table()) {
    mistake({"roles", roles, 0}, "this is not a table; accepted is [roles.NAME] with the keys " +
                                     std::string(kRoleKeys));
    return;
  }
  for (const auto& [key, value] : in_file_order(*roles->as_table())) {
    const std::string name(key->str());
    read_role(name, {"roles." + name, value, line_of(key->source())});
  }
}

void RoleReader::read_role(const std::string& name, const Entry& entry) {
  if (!is_name(name)) {
    mistake(entry, "this is not the name of a role; accepted are 1 to " +
                       std::to_string(kMaxRoleName) + " letters, digits, _ and -");
    return;
  }
  if (!entry.value->is_table()) {
    mistake(entry,
            "a role is a table; accepted is [roles." + name + "] with the keys " + kRoleKeys);
    return;
  }
  if (name != "default") {
    if (roles_.size() == kMaxRoles) {
      mistake(entry, "this is one role too many; accepted are " + std::to_string(kMaxRoles) +
                         " with default");
      return;
    }
    roles_.emplace_back().name = name;
  }
  Role& role = name == "default" ? roles_.front() : roles_.back();
  const toml::table& table = *entry.value->as_table();
  for (const auto& [key, value] : in_file_order(table)) {
    const Entry field{entry.key + '.' + std::string(key->str()), value, line_of(key->source())};
    if (*key == "threads") {
      read_threads(field, role);
    } else if (*key == "where") {
      read_where(field, role);
    } else if (*key == "memory") {
      read_memory(field, role);
    } else if (*key == "spill") {
      read_spill(field, role);
    } else if (*key == "soft_limit") {
      read_limit(field, role.soft_limit);
    } else if (*key == "hard_limit") {
      read_limit(field, role.hard_limit);
    } else {
      mistake(field, "this is no key of a role; accepted are " + std::string(kRoleKeys));
    }
  }
  check_role(entry, table, role);
}

/// What only shows when the whole role is read.
void RoleReader::check_role(const Entry& entry, const toml::table& table, Role& role) {
  const auto entry_of = [&](const char* key) {
    return Entry{entry.key + '.' + key, table.get(key), entry.line};
  };
  if (topology_ != nullptr && role.memory != RoleMemory::kNode)
    role.nodes = memory_nodes(*topology_, role);
  if (role.memory == RoleMemory::kInterleaved || role.memory == RoleMemory::kWeighted) {
    for (const char* key : {"spill", "soft_limit", "hard_limit"}) {
      if (table.get(key) == nullptr) continue;
      mistake(entry_of(key),
              "memory that is spread over all nodes has none; accepted with memory = \"local\" and "
              "\"node:N\"");
    }
  }
  if (role.memory == RoleMemory::kNode) {
    for (NodeId node : role.spill) {
      if (role.nodes.contains(node)) {
        mistake(entry_of("spill"), "the memory is on node:" + std::to_string(node.value) +
                                       " already; accepted are other nodes");
      }
    }
  }
  if (role.hard_limit.value != 0 && role.soft_limit > role.hard_limit) {
    mistake(entry_of("soft_limit"),
            "this is above hard_limit = " + to_toml(*table.get("hard_limit")) +
                "; accepted is at most that");
  }
}

std::string pin(const Topology& topology, std::string_view where, Role& role) {
  std::string problem;
  const std::optional<CpuSet> cpus = topology.locate(where, problem);
  if (!cpus) return problem;
  if (cpus->empty()) {
    std::string with_cpus;
    for (const TopologyNode& node : topology.nodes()) {
      if (node.cpus.empty()) continue;
      with_cpus += (with_cpus.empty() ? "" : ", ") +
                   ("numa:" + std::to_string(node.logical_index)) + " (node " +
                   std::to_string(node.id.value) + ")";
    }
    return "there are no CPUs there; nodes with CPUs are " + with_cpus;
  }
  role.where = where;
  role.cpus = *cpus & topology.allowed_cpus();
  role.refused_cpus = *cpus - topology.allowed_cpus();
  if (role.cpus.empty()) {
    return "this process may not run on the CPUs there (" + to_list(*cpus) +
           "); accepted are CPUs in " + to_list(topology.allowed_cpus());
  }
  return "";
}

NodeSet memory_nodes(const Topology& topology, const Role& role) {
  if (role.memory != RoleMemory::kLocal || role.cpus.empty()) return topology.usable_nodes();
  NodeSet nodes;
  const NodeSet near = topology.nodes_of(role.cpus);
  for (NodeId node = near.next(NodeId{0}); node != kNoNode;
       node = near.next(NodeId{node.value + 1})) {
    if (topology.usable_nodes().contains(node)) {
      nodes.insert(node);
    } else if (const std::vector<NodeId> others = topology.nearest(node); !others.empty()) {
      nodes.insert(others.front());
    }
  }
  return nodes.empty() ? topology.usable_nodes() : nodes;
}

}  // namespace numaheap::numa

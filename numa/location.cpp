#include "location.hpp"

#include <strings.h>

#include <charconv>

#include "hwloc_view.hpp"

namespace numaheap::numa {

namespace {

constexpr std::string_view kBlanks = " \t\n";

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

bool parse_number(std::string_view text, size_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

bool same_word(const std::string& a, const char* b) { return strcasecmp(a.c_str(), b) == 0; }

bool is_high_bandwidth(const std::string& kind) {
  return same_word(kind, "HBM") || same_word(kind, "MCDRAM");
}

bool is_of_kind(const std::string& kind, const std::string& wanted) {
  if (wanted.empty()) return true;
  return same_word(wanted, kind.c_str()) || (same_word(wanted, "hbm") && is_high_bandwidth(kind));
}

}  // namespace

std::nullopt_t LocationReader::fail(std::string problem) {
  problem_ = std::move(problem);
  return std::nullopt;
}

std::optional<CpuSet> LocationReader::read(std::string_view locations) {
  CpuSet result;
  bool any = false;
  while (true) {
    const size_t start = locations.find_first_not_of(kBlanks);
    if (start == std::string_view::npos) break;
    locations.remove_prefix(start);
    std::string_view location = locations.substr(0, locations.find_first_of(kBlanks));
    locations.remove_prefix(location.size());
    any = true;

    const char how = location[0];
    const bool has_prefix = how == '~' || how == 'x' || how == '^';
    if (has_prefix) location.remove_prefix(1);
    const std::optional<CpuSet> cpus = read_one(location);
    if (!cpus) return std::nullopt;
    switch (has_prefix ? how : '+') {
      case '~':
        result -= *cpus;
        break;
      case 'x':
        result &= *cpus;
        break;
      case '^':
        result ^= *cpus;
        break;
      default:
        result |= *cpus;
    }
  }
  if (!any)
    return fail(
        "the location is empty; accepted are e.g. \"all\", \"numa:0\" and \"numa:0.core:0-3\"");
  return result;
}

std::optional<CpuSet> LocationReader::read_one(std::string_view location) {
  if (location == "all" || location == "root") return topology_.online_cpus();
  if (location.starts_with("0x")) return read_mask(location);
  return read_chain(
      location,
      {{}, topology_.online_cpus(), to_node_set(hwloc_topology_get_topology_nodeset(handle_))});
}

std::optional<CpuSet> LocationReader::read_mask(std::string_view mask) {
  hwloc_bitmap_t bitmap = hwloc_bitmap_alloc();
  const bool is_mask =
      mask.find_first_not_of("0123456789abcdefABCDEFx,.") == std::string_view::npos &&
      hwloc_bitmap_sscanf(bitmap, std::string(mask).c_str()) == 0;
  // "0xf...f" means all the rest, existing or not.
  const bool is_infinite = is_mask && hwloc_bitmap_weight(bitmap) < 0;
  const CpuSet cpus = is_mask ? to_cpu_set(bitmap) : CpuSet{};
  hwloc_bitmap_free(bitmap);
  if (!is_mask) {
    return fail(
        quoted(mask) +
        " is not a CPU mask; accepted are hexadecimal digits in blocks of 8, \"0xff,0x00000001\"");
  }
  if (!is_infinite && !cpus.is_subset_of(topology_.online_cpus())) {
    return fail("the mask " + quoted(mask) + " names CPUs that are not there (" +
                to_list(cpus - topology_.online_cpus()) + "); the CPUs are " +
                to_list(topology_.online_cpus()));
  }
  return cpus & topology_.online_cpus();
}

std::optional<CpuSet> LocationReader::read_chain(std::string_view chain, const Scope& scope) {
  const size_t dot = chain.find('.');
  const std::string_view step = chain.substr(0, dot);
  const size_t colon = step.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == step.size()) {
    return fail(quoted(step) +
                " is not a location; accepted are TYPE:INDEX[.TYPE:INDEX...], e.g. "
                "numa:0.core:0-3, with TYPE " +
                type_names() +
                " and INDEX N, N-M, N-, N:COUNT, all, odd or even; all; and masks such as 0xff");
  }
  ObjectType type;
  if (!read_type(step.substr(0, colon), type)) return std::nullopt;
  std::vector<Scope> objects = objects_in(scope, type);
  if (!select(step.substr(colon + 1), type, scope, objects)) return std::nullopt;

  CpuSet cpus;
  for (const Scope& object : objects) {
    if (dot == std::string_view::npos) {
      cpus |= object.cpus;
      continue;
    }
    const std::optional<CpuSet> inside = read_chain(chain.substr(dot + 1), object);
    if (!inside) return std::nullopt;
    cpus |= *inside;
  }
  return cpus;
}

bool LocationReader::read_type(std::string_view text, ObjectType& type) {
  type.name = text;
  std::string word(text);
  if (const size_t bracket = word.find('['); bracket != std::string::npos && word.back() == ']') {
    type.kind = word.substr(bracket + 1, word.size() - bracket - 2);
    word.resize(bracket);
  }
  if (same_word(word, "hbm")) {
    type.kind = "hbm";
    word = "numa";
  }
  hwloc_obj_type_t object_type{};
  if (hwloc_type_sscanf_as_depth(word.c_str(), &object_type, handle_, &type.depth) < 0) {
    fail(quoted(text) + " is not a type of object; this machine has " + type_names());
    return false;
  }
  if (type.depth == HWLOC_TYPE_DEPTH_MULTIPLE) {
    fail(quoted(text) + " means several levels; this machine has " + type_names());
    return false;
  }
  const bool has_cpus = type.depth >= 0 || type.depth == HWLOC_TYPE_DEPTH_NUMANODE;
  if (!has_cpus || (!type.kind.empty() && type.depth != HWLOC_TYPE_DEPTH_NUMANODE)) {
    fail("there is no " + quoted(text) + " with CPUs; this machine has " + type_names());
    return false;
  }
  return true;
}

std::vector<LocationReader::Scope> LocationReader::objects_in(const Scope& scope,
                                                              const ObjectType& type) const {
  std::vector<Scope> objects;
  for (hwloc_obj_t object = hwloc_get_next_obj_by_depth(handle_, type.depth, nullptr);
       object != nullptr; object = hwloc_get_next_obj_by_depth(handle_, type.depth, object)) {
    const std::string name = (scope.name.empty() ? "" : scope.name + '.') + type.name + ':' +
                             std::to_string(objects.size());
    if (type.depth == HWLOC_TYPE_DEPTH_NUMANODE) {
      const TopologyNode* node = topology_.node(NodeId{object->os_index});
      if (node == nullptr || !scope.nodes.contains(node->id) || !is_of_kind(node->kind, type.kind))
        continue;
      NodeSet itself;
      itself.insert(node->id);
      objects.push_back({name, node->cpus, itself});
    } else {
      const CpuSet cpus = to_cpu_set(object->cpuset);
      if (!cpus.empty() && cpus.is_subset_of(scope.cpus))
        objects.push_back({name, cpus, to_node_set(object->nodeset)});
    }
  }
  return objects;
}

bool LocationReader::select(std::string_view index, const ObjectType& type, const Scope& scope,
                            std::vector<Scope>& objects) {
  const std::string where = scope.name.empty() ? "this machine" : scope.name;
  const size_t count = objects.size();
  if (count == 0) {
    fail(where + " has no " + type.name + (scope.name.empty() ? "; it has " + type_names() : ""));
    return false;
  }
  size_t first = 0;
  size_t step = 1;
  size_t wanted = count;
  bool is_index = true;
  if (index == "odd" || index == "even") {
    first = index == "odd" ? 1 : 0;
    step = 2;
    wanted = (count + 1 - first) / 2;
  } else if (index != "all") {
    const size_t mark = index.find_first_of("-:");
    is_index = parse_number(index.substr(0, mark), first);
    if (mark == std::string_view::npos) {
      wanted = 1;
    } else if (index[mark] == ':') {
      is_index =
          is_index && parse_number(index.substr(mark + 1), wanted) && wanted > 0 && wanted <= count;
    } else if (mark + 1 == index.size()) {
      wanted = first < count ? count - first : 1;
    } else {
      size_t last = 0;
      is_index = is_index && parse_number(index.substr(mark + 1), last) && last >= first;
      wanted = last - first + 1;
    }
    const bool wraps_around = mark != std::string_view::npos && index[mark] == ':';
    const bool exists = first < count && (wraps_around || wanted <= count - first);
    if (is_index && !exists) {
      fail("there is no " + type.name + ':' + std::string(index) + " in " + where + ", which has " +
           type.name + ":0" +
           (count > 1 ? " to " + type.name + ':' + std::to_string(count - 1) : ""));
      return false;
    }
  }
  if (!is_index) {
    fail(quoted(index) + " is not an index of " + type.name +
         "; accepted are N, N-M, N-, N:COUNT (COUNT at most " + std::to_string(count) +
         "), all, odd and even");
    return false;
  }
  std::vector<Scope> selected;
  for (size_t i = 0; i < wanted; ++i) selected.push_back(objects[(first + i * step) % count]);
  objects = std::move(selected);
  return true;
}

std::string LocationReader::type_names() const {
  std::string names = "numa";
  for (int depth = 0; depth < hwloc_topology_get_depth(handle_); ++depth) {
    char name[64];
    hwloc_obj_type_snprintf(name, sizeof name, hwloc_get_obj_by_depth(handle_, depth, 0), 0);
    names += ", ";
    for (const char* c = name; *c != 0; ++c)
      names += static_cast<char>(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
  }
  return names;
}

}  // namespace numaheap::numa

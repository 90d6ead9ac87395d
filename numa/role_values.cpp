// The values of a role's keys: patterns, locations, nodes and sizes. The tables around them are role_reader.cpp's.
#include <algorithm>
#include <charconv>

#include "role_reader.hpp"

namespace numaheap::numa {

namespace {

constexpr const char* kMemoryWords = "\"local\", \"node:N\", \"interleaved\" and \"weighted\"";

bool has_wildcard(std::string_view pattern) {
  return pattern.find_first_of("*?[\\") != std::string_view::npos;
}

/// "4GiB", "512 MiB" or a number of bytes. \returns false for anything else and for 0.
bool parse_bytes(std::string_view text, size_t& bytes) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  if (error != std::errc{} || bytes == 0) return false;
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  unsigned shift = 0;
  for (const char* known : {"", "KiB", "MiB", "GiB", "TiB"}) {
    if (unit == known) return !__builtin_mul_overflow(bytes, size_t{1} << shift, &bytes);
    shift += 10;
  }
  return false;
}

std::string list_of_nodes(const NodeSet& nodes) {
  return nodes.size() == 1 ? "node:" + to_list(nodes) : "node:N with N in " + to_list(nodes);
}

}  // namespace

std::vector<RoleReader::Word> RoleReader::read_words(const Entry& entry,
                                                     const std::string& accepted) {
  std::vector<Word> words;
  if (const auto* text = entry.value->as_string()) {
    words.push_back({text->get(), entry.value});
  } else if (const toml::array* list = entry.value->as_array(); list != nullptr && !list->empty()) {
    for (const toml::node& element : *list) {
      const auto* element_text = element.as_string();
      if (element_text == nullptr) {
        mistake(entry, &element, "this is not a string; accepted are " + accepted);
        return {};
      }
      words.push_back({element_text->get(), &element});
    }
  } else {
    mistake(entry, "this is neither a string nor a list of strings; accepted are " + accepted);
  }
  return words;
}

void RoleReader::read_threads(const Entry& entry, Role& role) {
  if (role.name == "default") {
    mistake(entry,
            "default takes every thread that no other role takes; accepted in other roles only");
    return;
  }
  const std::vector<Word> words =
      read_words(entry, "patterns on the names of threads, e.g. [\"bio_*\"]");
  if (words.size() > kMaxRolePatterns) {
    mistake(entry, "these are too many patterns; accepted are " + std::to_string(kMaxRolePatterns));
    return;
  }
  for (const Word& word : words) {
    check_pattern(entry, word);
    role.threads.push_back(word.text);
  }
}

void RoleReader::check_pattern(const Entry& entry, const Word& word) {
  const std::string& pattern = word.text;
  if (pattern.empty() || pattern.size() > kMaxRolePattern) {
    mistake(entry, word.value,
            "accepted are patterns of 1 to " + std::to_string(kMaxRolePattern) + " bytes");
  } else if (!has_wildcard(pattern) && pattern.size() > kMaxThreadName) {
    mistake(entry, word.value,
            "no thread has that name: accepted are names of at most " +
                std::to_string(kMaxThreadName) + " bytes, as pthread_setname_np(3) takes them");
  } else if (pattern.find("[:") != std::string::npos || pattern.find("[.") != std::string::npos ||
             pattern.find("[=") != std::string::npos) {
    mistake(entry, word.value,
            "named classes of characters are not known; accepted are *, ?, [a-z] and [!a-z]");
  }
  for (const Role& role : roles_) {
    if (std::find(role.threads.begin(), role.threads.end(), pattern) != role.threads.end()) {
      mistake(entry, word.value,
              "the role " + role.name + " has this pattern already; accepted is one role for each");
    }
  }
}

void RoleReader::read_where(const Entry& entry, Role& role) {
  const std::vector<Word> words = read_words(entry, "locations of hwloc, e.g. \"numa:0.core:0-3\"");
  if (topology_ == nullptr || words.empty()) return;
  bool is_right = true;
  for (const Word& word : words) {
    std::string problem;
    if (!topology_->locate(word.text, problem)) {
      mistake(entry, word.value, problem);
      is_right = false;
    }
    role.where += (role.where.empty() ? "" : " ") + word.text;
  }
  if (!is_right) return;
  const std::string problem = pin(*topology_, role.where, role);
  if (!problem.empty()) mistake(entry, problem);
}

NodeId RoleReader::read_node(const Entry& entry, const Word& word, const std::string& accepted) {
  unsigned id = 0;
  const std::string_view text = word.text;
  const char* end = text.data() + text.size();
  if (!text.starts_with("node:") || text.size() == 5 ||
      std::from_chars(text.data() + 5, end, id).ptr != end) {
    mistake(entry, word.value, "accepted are " + accepted);
    return kNoNode;
  }
  if (topology_ == nullptr) return kNoNode;
  const TopologyNode* node = topology_->node(NodeId{id});
  if (node != nullptr && topology_->usable_nodes().contains(node->id)) return node->id;
  const char* reason = node == nullptr  ? "there is no such node"
                       : !node->allowed ? "this process may not allocate on that node"
                                        : "that node has no memory";
  mistake(entry, word.value,
          std::string(reason) + "; accepted are " + list_of_nodes(topology_->usable_nodes()));
  return kNoNode;
}

void RoleReader::read_memory(const Entry& entry, Role& role) {
  const auto* text = entry.value->as_string();
  if (text == nullptr) {
    mistake(entry, "this is not a string; accepted are " + std::string(kMemoryWords));
  } else if (text->get() == "local") {
    role.memory = RoleMemory::kLocal;
  } else if (text->get() == "interleaved") {
    role.memory = RoleMemory::kInterleaved;
  } else if (text->get() == "weighted") {
    role.memory = RoleMemory::kWeighted;
  } else if (const NodeId node = read_node(entry, {text->get(), entry.value}, kMemoryWords);
             node != kNoNode) {
    role.memory = RoleMemory::kNode;
    role.nodes = {};
    role.nodes.insert(node);
  }
}

void RoleReader::read_spill(const Entry& entry, Role& role) {
  const std::string accepted = "\"nearest\" and a list of \"node:N\"";
  const std::vector<Word> words = read_words(entry, accepted);
  if (words.size() == 1 && words[0].text == "nearest") return;
  if (words.size() > kMaxRoleSpill) {
    mistake(entry, "these are too many nodes; accepted are " + std::to_string(kMaxRoleSpill));
    return;
  }
  for (const Word& word : words) {
    const NodeId node = read_node(entry, word, accepted);
    if (node == kNoNode) continue;
    if (std::find(role.spill.begin(), role.spill.end(), node) != role.spill.end()) {
      mistake(entry, word.value, "this node stands here twice; accepted is each node once");
    }
    role.spill.push_back(node);
  }
}

void RoleReader::read_limit(const Entry& entry, Bytes& limit) {
  const auto* text = entry.value->as_string();
  const auto* number = entry.value->as_integer();
  size_t bytes = 0;
  if ((text != nullptr && parse_bytes(text->get(), bytes)) ||
      (number != nullptr && number->get() > 0)) {
    limit = Bytes{text != nullptr ? bytes : static_cast<size_t>(number->get())};
  } else {
    mistake(
        entry,
        "accepted are bytes above 0 as a whole number, e.g. 4294967296, \"4096MiB\" or \"4GiB\"");
  }
}

}  // namespace numaheap::numa

#include "numaheap/numa/role_table.hpp"

#include <cstring>

#include "numaheap/numa/machine.hpp"

namespace numaheap::numa {

namespace {

constexpr Error malformed(const char* text) { return Error{ErrorCode::kInvalidArgument, 0, text}; }

/// What follows the first `count` characters. substr() would bring the exceptions of the C++ runtime along.
std::string_view after(std::string_view text, size_t count) noexcept {
  return {text.data() + count, text.size() - count};
}

/// Cuts off and returns what stands before the next `separator` (all of the text if there is none).
std::string_view take(std::string_view& text, char separator) noexcept {
  const size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view{} : after(text, end + 1);
  return part;
}

bool starts_with(std::string_view& text, std::string_view prefix) noexcept {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Undoes %XX. \returns false if it does not fit, is empty or is malformed.
bool decode_pattern(std::string_view text, char (&pattern)[kMaxRolePattern + 1]) noexcept {
  size_t length = 0;
  while (!text.empty()) {
    char c = text[0];
    size_t used = 1;
    if (c == '%') {
      if (text.size() < 3) return false;
      const int high = hex_digit(text[1]);
      const int low = hex_digit(text[2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      used = 3;
    }
    if (c == 0 || length == kMaxRolePattern) return false;
    pattern[length++] = c;
    text.remove_prefix(used);
  }
  pattern[length] = 0;
  return length != 0;
}

bool parse_number(std::string_view text, size_t& number) noexcept {
  if (text.empty()) return false;
  number = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    if (__builtin_mul_overflow(number, size_t{10}, &number)) return false;
    if (__builtin_add_overflow(number, static_cast<size_t>(c - '0'), &number)) return false;
  }
  return true;
}

Status parse_patterns(std::string_view text, RoleEntry& role) noexcept {
  while (!text.empty()) {
    if (role.pattern_count == kMaxRolePatterns)
      return malformed("a role has more than 16 thread-name patterns");
    if (!decode_pattern(take(text, ','), role.patterns[role.pattern_count])) {
      return malformed("a thread-name pattern is empty, longer than 63 bytes or has a bad %XX");
    }
    ++role.pattern_count;
  }
  return Unit{};
}

Status parse_memory(std::string_view text, RoleEntry& role) noexcept {
  if (starts_with(text, "local:")) {
    role.memory = RoleMemory::kLocal;
  } else if (starts_with(text, "node:")) {
    role.memory = RoleMemory::kNode;
  } else if (starts_with(text, "interleaved:")) {
    role.memory = RoleMemory::kInterleaved;
  } else if (starts_with(text, "weighted:")) {
    role.memory = RoleMemory::kWeighted;
  } else {
    return malformed("a role's memory is none of local:, node:, interleaved: and weighted:");
  }
  const Result<NodeSet> nodes = parse_node_list(text);
  if (!nodes) return nodes.error();
  if (nodes->empty()) return malformed("a role's memory names no node");
  if (role.memory == RoleMemory::kNode && nodes->size() != 1) {
    return malformed("a role's memory on one node names several");
  }
  role.nodes = *nodes;
  return Unit{};
}

Status parse_spill(std::string_view text, RoleEntry& role) noexcept {
  if (text == "nearest") {
    role.spill_nearest = true;
    return Unit{};
  }
  do {
    size_t node = 0;
    if (!parse_number(take(text, ','), node) || node >= kMaxNodes) {
      return malformed("a role's spill order is neither \"nearest\" nor node numbers below 1024");
    }
    if (role.spill_count == kMaxRoleSpill)
      return malformed("a role's spill order names more than 64 nodes");
    role.spill[role.spill_count++] = NodeId{static_cast<unsigned>(node)};
  } while (!text.empty());
  return Unit{};
}

Status parse_role(std::string_view text, RoleEntry& role) noexcept {
  constexpr unsigned kFields = 7;
  std::string_view fields[kFields];
  for (unsigned i = 0; i < kFields; ++i) {
    if (i + 1 < kFields && text.find('|') == std::string_view::npos) {
      return malformed("a role has fewer than 7 fields");
    }
    fields[i] = i + 1 < kFields ? take(text, '|') : text;
  }
  if (fields[0].empty() || fields[0].size() > kMaxRoleName) {
    return malformed("a role's name is empty or longer than 31 bytes");
  }
  std::memcpy(role.name, fields[0].data(), fields[0].size());
  Status status = parse_patterns(fields[1], role);
  if (!status) return status;
  const Result<CpuSet> cpus = parse_cpu_list(fields[2]);
  if (!cpus) return cpus.error();
  role.cpus = *cpus;
  if (Status memory = parse_memory(fields[3], role); !memory) return memory;
  if (Status spill = parse_spill(fields[4], role); !spill) return spill;
  if (!parse_number(fields[5], role.soft_limit.value) ||
      !parse_number(fields[6], role.hard_limit.value)) {
    return malformed("a role's limits are not two numbers of bytes at its end");
  }
  return Unit{};
}

/// Whether `c` is in the bracket expression that `pattern` starts with; `end` is set behind its
/// bracket, or to 0 if there is none (then the bracket stands for itself).
bool matches_bracket(std::string_view pattern, char c, size_t& end) noexcept {
  size_t i = 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  const auto byte = static_cast<unsigned char>(c);
  bool found = false;
  end = 0;
  for (bool first = true; i < pattern.size() && (first || pattern[i] != ']'); first = false) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    auto low = static_cast<unsigned char>(pattern[i++]);
    unsigned char high = low;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      ++i;
      if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
      high = static_cast<unsigned char>(pattern[i++]);
    }
    found |= low <= byte && byte <= high;
  }
  if (i < pattern.size()) end = i + 1;
  return found != negated;
}

/// Whether `c` matches the first element of a pattern that does not start with a star; `used` is
/// that element's length.
bool matches_one(std::string_view pattern, char c, size_t& used) noexcept {
  used = 1;
  switch (pattern[0]) {
    case '?':
      return true;
    case '\\':
      if (pattern.size() == 1) return false;
      used = 2;
      return pattern[1] == c;
    case '[': {
      size_t end = 0;
      const bool matches = matches_bracket(pattern, c, end);
      if (end == 0) return c == '[';
      used = end;
      return matches;
    }
    default:
      return pattern[0] == c;
  }
}

}  // namespace

Status RoleTable::parse(std::string_view text) noexcept {
  count_ = 0;
  if (take(text, ';') != "1")
    return malformed("the roles are not written in version 1 of their form");
  unsigned count = 0;
  while (!text.empty()) {
    if (count == kMaxRoles) return malformed("there are more than 32 roles");
    RoleEntry& role = roles_[count];
    role = RoleEntry{};
    Status status = parse_role(take(text, ';'), role);
    if (!status) return status;
    if (count == 0 && std::string_view(role.name) != "default")
      return malformed("the first role is not default");
    ++count;
  }
  if (count == 0) return malformed("there is no role");
  count_ = count;
  return Unit{};
}

const RoleEntry* RoleTable::find(std::string_view name) const noexcept {
  for (unsigned i = 0; i < count_; ++i) {
    if (name == roles_[i].name) return &roles_[i];
  }
  return nullptr;
}

const RoleEntry& RoleTable::match(std::string_view thread_name) const noexcept {
  for (unsigned i = 1; i < count_; ++i) {
    for (unsigned p = 0; p < roles_[i].pattern_count; ++p) {
      if (matches_pattern(roles_[i].patterns[p], thread_name)) return roles_[i];
    }
  }
  return roles_[0];
}

// One star is remembered: when the rest does not match, the last star takes one character more.
// Earlier stars never need to be tried again, since what follows them has matched as far to the
// left as it can.
bool matches_pattern(std::string_view pattern, std::string_view name) noexcept {
  constexpr size_t kNoStar = ~size_t{0};
  size_t p = 0;
  size_t n = 0;
  size_t after_star = kNoStar;
  size_t star_took_to = 0;
  while (n < name.size()) {
    size_t used = 0;
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      star_took_to = n;
    } else if (p < pattern.size() && matches_one(after(pattern, p), name[n], used)) {
      p += used;
      ++n;
    } else if (after_star != kNoStar) {
      p = after_star;
      n = ++star_took_to;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Result<RolePlacement> apply_role(const RoleEntry& role) noexcept {
  if (!role.cpus.empty()) {
    if (Status status = set_thread_affinity(role.cpus); !status) return status.error();
  }
  const bool on_one_node = role.memory == RoleMemory::kNode;
  return RolePlacement{role.memory, on_one_node ? role.nodes.next(NodeId{0}) : kNoNode};
}

}  // namespace numaheap::numa

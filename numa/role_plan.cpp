#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "numaheap/numa/roles.hpp"
#include "role_reader.hpp"

namespace numaheap::numa {

namespace {

/// \returns 0 or an errno.
int read_file(const std::string& path, std::string& text) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return errno;
  char buffer[4096];
  ssize_t count = 0;
  while ((count = read(file, buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<size_t>(count));
  const int error = count < 0 ? errno : 0;
  close(file);
  return error;
}

std::string encode_pattern(const std::string& pattern) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string text;
  for (char c : pattern) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 0x7f && c != '%' && c != ',' && c != ';' && c != '|') {
      text += c;
    } else {
      text += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return text;
}

std::string encode_memory(const Role& role) {
  const std::string nodes = to_list(role.nodes);
  switch (role.memory) {
    case RoleMemory::kLocal:
      return "local:" + nodes;
    case RoleMemory::kNode:
      return "node:" + nodes;
    case RoleMemory::kInterleaved:
      return "interleaved:" + nodes;
    case RoleMemory::kWeighted:
      return "weighted:" + nodes;
  }
  return "";
}

template <class List, class Format>
std::string join(const List& list, Format format) {
  std::string text;
  for (const auto& element : list) {
    if (!text.empty()) text += ',';
    text += format(element);
  }
  return text;
}

}  // namespace

RoleResult parse_roles(std::string_view toml, const std::string& file) noexcept {
  return RoleReader(file).read(toml);
}

RoleResult load_roles(const std::string& path) noexcept {
  std::string text;
  if (const int error = read_file(path, text); error != 0) {
    RoleResult result;
    result.mistakes.push_back(
        {path, 0, "", "", "the file cannot be read: " + std::string(std::strerror(error))});
    return result;
  }
  return parse_roles(text, path);
}

std::string pin_default(RolePlan& plan, std::string_view where) noexcept {
  Role& role = plan.roles.front();
  if (!role.where.empty())
    return "the role default has the location \"" + role.where + "\" already";
  std::string problem = pin(*plan.topology, where, role);
  if (problem.empty() && role.memory != RoleMemory::kNode)
    role.nodes = memory_nodes(*plan.topology, role);
  return problem;
}

std::string to_text(const RoleMistake& mistake) noexcept {
  std::string text = mistake.file;
  if (mistake.line != 0) text += ':' + std::to_string(mistake.line);
  if (!text.empty()) text += ": ";
  if (!mistake.key.empty())
    text += mistake.key + (mistake.value.empty() ? "" : " = " + mistake.value) + ": ";
  return text + mistake.problem;
}

std::string encode(const RolePlan& plan) noexcept {
  std::string text = "1";
  for (const Role& role : plan.roles) {
    text += ';' + role.name;
    text += '|' + join(role.threads, encode_pattern);
    text += '|' + (role.cpus.empty() ? "" : to_list(role.cpus));
    text += '|' + encode_memory(role);
    text += '|' + (role.spill.empty() ? "nearest" : join(role.spill, [](NodeId node) {
              return std::to_string(node.value);
            }));
    text +=
        '|' + std::to_string(role.soft_limit.value) + '|' + std::to_string(role.hard_limit.value);
  }
  return text;
}

}  // namespace numaheap::numa

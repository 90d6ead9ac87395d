#include "numaheap/roles.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "c_status.hpp"
#include "numaheap.h"
#include "numaheap/alloc.hpp"
#include "numaheap/base/mutex.hpp"
#include "numaheap/limits.hpp"
#include "numaheap/numa/role_table.hpp"
#include "numaheap/numa/roles.hpp"

namespace numaheap {
namespace {

/// The roles that are applied.
class AppliedRoles {
 public:
  /// \returns the first refusal of a limit; the others are set all the same.
  Status replace(const numa::RoleTable& table) noexcept NH_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    std::optional<Error> refused;
    for_each_limited_node(
        table_, [&](NodeId node, Limit) { keep_first(refused, set_node_limit(node, {})); });
    for_each_limited_node(
        table, [&](NodeId node, Limit limit) { keep_first(refused, set_node_limit(node, limit)); });
    table_ = table;
    if (refused) return *refused;
    return Unit{};
  }

  [[nodiscard]] std::optional<numa::RoleEntry> find(std::string_view name) noexcept
      NH_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (table_.size() == 0) return std::nullopt;
    if (name.empty()) return table_.match(own_thread_name().text);
    const numa::RoleEntry* entry = table_.find(name);
    return entry != nullptr ? std::optional(*entry) : std::nullopt;
  }

 private:
  struct ThreadName {
    char text[numa::kMaxThreadName + 1] = "";
  };
  static ThreadName own_thread_name() noexcept {
    ThreadName name;
    prctl(PR_GET_NAME, name.text);
    return name;
  }

  static void keep_first(std::optional<Error>& refused, const Status& status) noexcept {
    if (!status && !refused) refused = status.error();
  }

  /// 0 is no limit.
  static Bytes least(Bytes a, Bytes b) noexcept {
    if (a.value == 0 || b.value == 0) return std::max(a, b);
    return std::min(a, b);
  }

  template <class Visitor>
  static void for_each_limited_node(const numa::RoleTable& table, Visitor visit) noexcept {
    for (unsigned node = 0; node < kMaxNodes; ++node) {
      Limit limit;
      for (unsigned i = 0; i < table.size(); ++i) {
        if (!table[i].nodes.contains(NodeId{node})) continue;
        limit.soft = least(limit.soft, table[i].soft_limit);
        limit.hard = least(limit.hard, table[i].hard_limit);
      }
      // One role's hard limit may be below another's soft one.
      if (limit.hard.value != 0) limit.soft = std::min(limit.soft, limit.hard);
      if (limit.soft.value != 0 || limit.hard.value != 0) visit(NodeId{node}, limit);
    }
  }

  Mutex mutex_;
  numa::RoleTable table_ NH_GUARDED_BY(mutex_);
};

constinit AppliedRoles applied;

Placement placement_of(const numa::RoleEntry& role) noexcept {
  switch (role.memory) {
    case numa::RoleMemory::kLocal:
      return Placement::local();
    case numa::RoleMemory::kNode:
      return Placement::node(role.nodes.next(NodeId{0}));
    case numa::RoleMemory::kInterleaved:
      return Placement::interleaved();
    case numa::RoleMemory::kWeighted:
      return Placement::weighted();
  }
  return Placement::local();
}

}  // namespace

Status apply_roles(const char* path, std::string* mistakes) noexcept {
  if (mistakes != nullptr) mistakes->clear();
  const numa::RoleResult result = numa::load_roles(path);
  if (mistakes != nullptr) {
    for (const numa::RoleMistake& mistake : result.mistakes)
      *mistakes += numa::to_text(mistake) + "\n";
  }
  if (!result.plan) return Error{ErrorCode::kInvalidArgument, 0, "The roles file has mistakes."};

  numa::RoleTable table;
  Status parsed = table.parse(numa::encode(*result.plan));
  if (!parsed) return parsed;
  Status limited = applied.replace(table);
  if (!limited) return limited;
  return join_role("default");
}

Status join_role(std::string_view name) noexcept {
  const std::optional<numa::RoleEntry> role = applied.find(name);
  if (!role)
    return Error{ErrorCode::kNotFound, 0,
                 "There is no role of that name, or no roles file was applied."};
  const Result<numa::RolePlacement> pinned = numa::apply_role(*role);
  const Placement home = placement_of(*role);
  Status homed = set_thread_home(home);
  if (!pinned) return pinned.error();
  // The system back end places nothing, which is all that a local role asks for.
  if (!homed && homed.error().code == ErrorCode::kNotSupported && home == Placement::local())
    return Unit{};
  return homed;
}

}  // namespace numaheap

using namespace numaheap;

extern "C" {

nh_status nh_apply_roles(const char* file, char* mistakes, size_t mistakes_bytes) noexcept {
  std::string text;
  const Status status = apply_roles(file, &text);
  if (mistakes_bytes != 0) {
    const size_t length = std::min(text.size(), mistakes_bytes - 1);
    std::memcpy(mistakes, text.data(), length);
    mistakes[length] = 0;
  }
  return status_of(status);
}

nh_status nh_join_role(const char* role) noexcept {
  return status_of(join_role(role != nullptr ? role : ""));
}

}  // extern "C"

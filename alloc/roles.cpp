#include "numaheap/roles.hpp"

#include <sys/prctl.h>

#include <cstring>
#include <optional>

#include "c_status.hpp"
#include "numaheap.h"
#include "numaheap/alloc.hpp"
#include "numaheap/base/mutex.hpp"
#include "numaheap/numa/role_table.hpp"
#include "numaheap/numa/roles.hpp"
#include "role_nodes.hpp"

namespace numaheap {
namespace {

/// The roles that are applied.
class AppliedRoles {
 public:
  /// \returns the first refusal of a limit or a spill order; the others are set all the same.
  Status replace(const numa::RoleTable& table) noexcept NH_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    alloc::lift_role_limits(table_);
    std::optional<Error> first;
    alloc::set_up_role_nodes(
        table,
        [](NodeId, const char*, const Error& error, void* context) noexcept {
          auto& kept = *static_cast<std::optional<Error>*>(context);
          if (!kept) kept = error;
        },
        &first);
    table_ = table;
    if (first) return *first;
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

  Mutex mutex_;
  numa::RoleTable table_ NH_GUARDED_BY(mutex_);
};

constinit AppliedRoles applied;

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
  const Placement home = alloc::placement_of_role(*role);
  Status homed = set_thread_home(home);
  if (!pinned) return pinned.error();
  // The system back end places nothing, which is all that a local role asks for.
  if (!homed && homed.error().code == ErrorCode::kNotSupported &&
      role->memory == numa::RoleMemory::kLocal)
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

/// \file
/// RoleTable: the roles of a process in the form that the heap itself can use: masks and name patterns, in fixed
/// arrays, read from one line of text without allocating.
///
/// A role is a named group of threads that share CPUs and memory. People write roles in TOML (roles.hpp); who starts
/// the program resolves that to masks and hands them over in the environment variable NUMAHEAP_ROLES, since the
/// preload object may not use hwloc inside the first malloc.
///
/// The text: a version, then one record per role, the first of them "default":
///     1;NAME|PATTERNS|CPUS|MEMORY|SPILL|SOFT|HARD;...
/// PATTERNS are separated by commas, and in them each byte that is not printable ASCII or is one of `%,;|` is written
/// %XX; CPUS is a list as the kernel prints it, empty: not pinned; MEMORY is local:NODES, node:NODES,
/// interleaved:NODES or weighted:NODES (a list); SPILL is "nearest" or nodes in order; SOFT and HARD are bytes, 0:
/// none. Example:
///     1;default|||local:0-1|nearest|0|0;bio|bio_*,lazy*|4-7|node:1|0|0|1073741824
///
/// Threads: a table is written once and then only read.

#pragma once

#include <cstdint>
#include <string_view>

#include "numaheap/base/api.h"
#include "numaheap/base/bytes.hpp"
#include "numaheap/base/node_id.hpp"
#include "numaheap/base/result.hpp"
#include "numaheap/numa/cpu_set.hpp"

namespace numaheap::numa {

enum class RoleMemory : uint8_t {
  kLocal,        ///< The home node of the thread that allocates.
  kNode,         ///< One node.
  kInterleaved,  ///< Page by page over all allowed nodes.
  kWeighted,     ///< The same, by the kernel's weights.
};

inline constexpr unsigned kMaxRoles = 32;
inline constexpr unsigned kMaxRolePatterns = 16;
inline constexpr unsigned kMaxRoleName = 31;
inline constexpr unsigned kMaxRolePattern = 63;
inline constexpr unsigned kMaxRoleSpill = 64;
inline constexpr unsigned kMaxThreadName = 15;  ///< What pthread_setname_np(3) takes.

struct RoleEntry {
  char name[kMaxRoleName + 1];
  char patterns[kMaxRolePatterns][kMaxRolePattern + 1];
  unsigned pattern_count;
  CpuSet cpus;  ///< Empty: the role's threads are not pinned.
  RoleMemory memory;
  NodeSet nodes;       ///< Where its memory lies if there is room. For kNode exactly one.
  bool spill_nearest;  ///< A full node spills to the nearest one; else to `spill`, in this order.
  NodeId spill[kMaxRoleSpill];
  unsigned spill_count;
  Bytes
      soft_limit;  ///< On the live bytes of each of `nodes`; 0: none. Of roles that share a node the least holds.
  Bytes hard_limit;
};

class NH_API RoleTable {
 public:
  constexpr RoleTable() = default;

  /// Reads the text described above.
  /// \returns kInvalidArgument, with what is wrong as text: then the table is empty.
  Status parse(std::string_view text) noexcept;

  [[nodiscard]] unsigned size() const noexcept { return count_; }
  /// \pre i < size(). Role 0 is "default".
  [[nodiscard]] const RoleEntry& operator[](unsigned i) const noexcept { return roles_[i]; }
  /// The role of that name, or nullptr.
  [[nodiscard]] const RoleEntry* find(std::string_view name) const noexcept;
  /// The first role one of whose patterns matches, else "default". \pre size() > 0.
  [[nodiscard]] const RoleEntry& match(std::string_view thread_name) const noexcept;

 private:
  unsigned count_ = 0;
  RoleEntry roles_[kMaxRoles] = {};
};

/// Whether a thread name matches a pattern, as fnmatch(3) without flags in the C locale: `*`, `?`, `[a-z]`, `[!a-z]`,
/// `\` before a character that is meant literally. Named classes such as [[:digit:]] are not known.
NH_API bool matches_pattern(std::string_view pattern, std::string_view name) noexcept;

/// What the memory of a thread in a role is to be, told by apply_role().
struct RolePlacement {
  RoleMemory memory;
  NodeId node;  ///< For RoleMemory::kNode, else kNoNode.
};

/// Runs the calling thread on the role's CPUs, if it has any. The heap knows placements, this layer does not: the
/// caller applies what is returned. At most one system call.
/// \returns as set_thread_affinity(); the thread then stays where it was.
NH_API Result<RolePlacement> apply_role(const RoleEntry& role) noexcept;

}  // namespace numaheap::numa

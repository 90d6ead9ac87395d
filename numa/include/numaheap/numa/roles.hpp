/// \file
/// RolePlan: which threads run on which CPUs and where their memory lies, as people write it in a TOML file, resolved
/// on a topology and checked against what this process may use.
///
///     [topology]
///     source = "live"                   # or "xml:PATH", or a synthetic topology; "live" if left out
///
///     [roles.default]                   # every thread that no other role takes
///     where = "numa:0"                  # a location of hwloc (Topology::locate), or a list of them
///
///     [roles.bio]
///     threads = ["bio_*", "lazyfree"]   # patterns on the names that threads give themselves
///     where = ["numa:1.core:0-1", "numa:1.core:3"]
///     memory = "node:1"                 # or "local" (as if left out), "interleaved", "weighted"
///     spill = ["node:0"]                # where to when that is full; or "nearest" (as if left out)
///     soft_limit = "3GiB"               # of live bytes, on each node that the role's memory lies on
///     hard_limit = "4GiB"
///
/// Locations count by hwloc's logical indexes; "node:1" is the kernel's number, as numactl(8) prints it. A thread
/// belongs to the first role, in the order of the file, one of whose patterns matches its name. A role without `where`
/// is not pinned.
///
/// Threads: a plan is only read. It allocates; not for malloc, which reads the plan's text form (RoleTable).

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "numaheap/base/api.h"
#include "numaheap/base/bytes.hpp"
#include "numaheap/base/node_id.hpp"
#include "numaheap/numa/cpu_set.hpp"
#include "numaheap/numa/role_table.hpp"
#include "numaheap/numa/topology.hpp"

namespace numaheap::numa {

struct Role {
  std::string name;
  std::vector<std::string> threads;  ///< Patterns; see matches_pattern().
  std::string where;                 ///< As written; empty: not pinned.
  CpuSet cpus;          ///< What it is pinned to: of `where` the CPUs that are allowed.
  CpuSet refused_cpus;  ///< Of `where` those that are not.
  RoleMemory memory = RoleMemory::kLocal;
  NodeSet nodes;              ///< Where its memory lies if there is room.
  std::vector<NodeId> spill;  ///< In this order; empty: the nearest node.
  Bytes soft_limit;           ///< 0: none.
  Bytes hard_limit;
};

struct RolePlan {
  std::unique_ptr<const Topology> topology;
  std::vector<Role>
      roles;  ///< In the order in which threads are matched, but for "default", which is first.
};

/// One mistake in a roles file.
struct RoleMistake {
  std::string file;
  unsigned line = 0;    ///< From 1; 0 if it is about the whole file.
  std::string key;      ///< "roles.bio.memory"; empty if it is about the file or its syntax.
  std::string value;    ///< As TOML; empty if there is none.
  std::string problem;  ///< What is wrong, and what is accepted.
};

/// "FILE:LINE: KEY = VALUE: PROBLEM", without the parts that are empty.
NH_API std::string to_text(const RoleMistake& mistake) noexcept;

/// A plan, or all the mistakes.
struct RoleResult {
  std::optional<RolePlan> plan;
  std::vector<RoleMistake> mistakes;
};

/// \param toml  empty: the plan of "default" alone, unpinned, on the live machine.
/// \param file  the file's name in mistakes; a relative path after "xml:" starts at its folder.
NH_API RoleResult parse_roles(std::string_view toml, const std::string& file) noexcept;
/// The same for a file's text.
NH_API RoleResult load_roles(const std::string& path) noexcept;

/// Pins "default" to a location, as `where` in the file would.
/// \returns a sentence that says what is wrong, also if it has a location already; empty: done.
NH_API std::string pin_default(RolePlan& plan, std::string_view where) noexcept;

/// The plan in the form that RoleTable reads.
NH_API std::string encode(const RolePlan& plan) noexcept;

/// Where the memory of a full node comes from instead.
struct SpillOrder {
  NodeId from;
  std::vector<NodeId> to;
};

/// What a role comes to.
struct RoleExplanation {
  std::string name;
  std::vector<std::string> threads;
  std::string where;              ///< As written.
  std::string cpus;               ///< "0-3"; empty: not pinned.
  std::string memory;             ///< "local", "node", "interleaved" or "weighted".
  std::string nodes;              ///< "0-1".
  std::string node_mask;          ///< The same as mbind(2) takes it: "0x3".
  std::vector<SpillOrder> spill;  ///< Empty for interleaved and weighted: the kernel's own order.
  Bytes soft_limit;               ///< 0: none.
  Bytes hard_limit;
  std::vector<std::string> system_calls;  ///< That will be made for it.
  std::vector<std::string> refused;       ///< What was asked for and cannot be had: sentences.
};

/// What the plan comes to, without changing anything. Where the topology is this system, the kernel is asked whether it
/// takes the policies (on a page that is given back).
NH_API std::vector<RoleExplanation> explain(const RolePlan& plan) noexcept;
/// The same for people, several lines.
NH_API std::string to_text(const std::vector<RoleExplanation>& explanation) noexcept;

}  // namespace numaheap::numa

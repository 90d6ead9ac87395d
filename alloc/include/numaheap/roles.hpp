/// \file
/// Roles for a program that links the heap: one call applies the file that `numaheap run --config` takes, and threads
/// join by name. What a roles file says is described in numaheap/numa/roles.hpp.
///
/// Threads: any; joining is for the calling thread. Applying allocates from malloc(3) and asks hwloc: not for a fast
/// path, nor inside an allocation hook.

#pragma once

#include <string>
#include <string_view>

#include "numaheap/base/api.h"
#include "numaheap/base/result.hpp"

namespace numaheap {

/// Reads a roles file, checks all of it against this machine, and only then applies it: sets the limits of the nodes
/// that roles name (of roles that share a node the least), lets the calling thread join "default", and keeps the roles
/// for join_role(). Other threads are left as they are. A second call replaces the roles and the limits of the first.
/// \param mistakes  if not null, every mistake as a line "FILE:LINE: KEY = VALUE: PROBLEM"; empty on success.
/// \returns kInvalidArgument if there are mistakes: nothing is changed then. As set_node_limit() or join_role() if the
///          kernel or the heap refuses what the file may ask for.
NH_API Status apply_roles(const char* path, std::string* mistakes = nullptr) noexcept;

/// Pins the calling thread to the role's CPUs and gives it the role's memory as its home.
/// \param name  empty: the role whose patterns match the thread's own name.
/// \returns kNotFound if there is no such role, or no roles were applied; as sched_setaffinity(2) if pinning is refused:
///          the thread then has the role's memory all the same.
NH_API Status join_role(std::string_view name) noexcept;

}  // namespace numaheap

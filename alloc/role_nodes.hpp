/// \file
/// What roles say of memory: the limits and spill orders of nodes, and the home of a thread. Its CPUs are numa's matter.
///
/// Threads: any; two at once mix their tables. Nothing here allocates.

#pragma once

#include "numaheap/base/result.hpp"
#include "numaheap/numa/role_table.hpp"
#include "numaheap/placement.hpp"

namespace numaheap::alloc {

/// Told of each refusal; the rest is set all the same.
using RoleRefused = void (*)(NodeId node, const char* what, const Error& error,
                             void* context) noexcept;

/// Sets the limits and the spill order of each node that a role names. Of roles that share a node the least limit
/// holds (a soft limit at most the hard one), and the first spill order.
void set_up_role_nodes(const numa::RoleTable& table, RoleRefused refused, void* context) noexcept;

/// The home of the threads of a role.
Placement placement_of_role(const numa::RoleEntry& role) noexcept;

/// Takes the limits back; spill orders stay.
void lift_role_limits(const numa::RoleTable& table) noexcept;

}  // namespace numaheap::alloc

/// \file
/// The policy ladder: how a piece of address space gets its pages onto its node, best rung first.
///
/// Never a strict MPOL_BIND: the OOM killer ends a process that touches a page of a full node under
/// it, although other nodes have room. All policies carry MPOL_F_STATIC_NODES, or a cpuset that
/// changes would silently renumber their nodes. Threads: any.

#pragma once

#include <cstddef>
#include <cstdint>

#include "numaheap/numa/address_space.hpp"

namespace numaheap::numa {

struct Placed {
  PolicyRung rung = PolicyRung::kNotNeeded;
  int refused_errno = 0;  ///< Why the rung above was refused; 0 on the rung that was asked for.
};

/// Places untouched address space on the best rung that the kernel grants.
/// \param try_mbind  false: as if mbind were refused with EPERM.
Placed place(uintptr_t start, size_t bytes, const RangeSpec& spec, bool try_mbind) noexcept;

/// Gives a piece of address space the policy of a rung that place() has found.
/// \returns 0 (also on the rungs that bind nothing) or an errno.
int bind_as(PolicyRung rung, uintptr_t start, size_t bytes, const RangeSpec& spec) noexcept;

}  // namespace numaheap::numa

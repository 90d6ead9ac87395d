/// \file
/// The housekeeping tick: what must happen now and then, done in small steps by whoever is in a slow path.

#pragma once

#include "thread_state.hpp"

namespace numaheap::alloc {

/// Counts a slow path; looks at the clock every kSlowPathsPerLook of them and does what is due: ages the thread's own
/// caches (once a second), drains idle transfer caches and purges free extents (at most kTickBytes each, every
/// kTickMs), samples limits. Inside a SlowPath.
void tick(ThreadState& thread) noexcept;

inline constexpr unsigned kSlowPathsPerLook = 32;
inline constexpr int kTickMs = 10;
inline constexpr int kAgeMs = 1000;

}  // namespace numaheap::alloc

/// \file
/// The housekeeping tick: what must happen now and then, done in small steps by whoever is in a slow path.

#pragma once

#include "thread_state.hpp"

namespace numaheap::alloc {

/// Counts a slow path; looks at the clock every kSlowPathsPerLook of them and does what is due: ages the thread's own
/// caches (once a second), drains idle transfer caches and purges free extents (at most kTickBytes each, every
/// kTickMs), samples limits and the nodes that are allowed. Inside a SlowPath.
void tick(ThreadState& thread) noexcept;

/// The same without counting.
void look_at_clock(ThreadState& thread) noexcept;

/// Asks every thread to empty its caches at its next look at the clock.
void ask_all_to_flush() noexcept;

inline constexpr unsigned kSlowPathsPerLook = 32;
inline constexpr int kTickMs = 10;
inline constexpr int kAgeMs = 1000;

}  // namespace numaheap::alloc

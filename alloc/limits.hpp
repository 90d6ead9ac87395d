/// \file
/// Where the slow path meets the limits of numaheap/limits.hpp.

#pragma once

#include <cstddef>
#include <cstdint>

#include "numaheap/limits.hpp"
#include "settings.hpp"

namespace numaheap::alloc {

/// Sets the limits that the environment names.
void init_limits(const Settings& settings) noexcept;

/// Whether a request for `bytes` more may be served. One load where no hard limit is set.
[[nodiscard]] bool limits_admit(unsigned placement, size_t bytes) noexcept;

/// Samples what is not in our own books (resident set, cgroup), if a limit is set on it. Reads files; no allocation.
void sample_limits() noexcept;

/// Calls the limit callback for what was crossed since. Outside of a SlowPath, no lock held.
void announce_limits() noexcept;

/// Runs the reclaim hook unless there is none, it runs already on this thread, or the thread is WithoutReclaim.
/// \returns whether to try again.
[[nodiscard]] bool reclaim(size_t wanted) noexcept;

}  // namespace numaheap::alloc

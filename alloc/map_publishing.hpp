/// \file
/// Maps for `numaheap export`, drawn while somebody looks: each placement's at most once a second.

#pragma once

#include <chrono>

namespace numaheap::alloc {

/// Goes on drawing, and publishes each map that is whole.
/// \param wanted_until  by CLOCK_MONOTONIC; once it is over, what was begun is left.
/// \param to_the_end    false: for half a millisecond at most, on the way of an allocation.
/// Outside of a SlowPath; one thread at a time.
void publish_maps(std::chrono::nanoseconds wanted_until, bool to_the_end) noexcept;

void map_publishing_after_fork_in_child() noexcept;

}  // namespace numaheap::alloc

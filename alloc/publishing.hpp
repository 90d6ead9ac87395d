/// \file
/// Publishing: this process' figures for `numaheap top` and its kin, every NUMAHEAP_PUBLISH_MS; and the thread that
/// NUMAHEAP_BACKGROUND=on gives to it and to housekeeping.
///
/// Without that thread a snapshot is published by whoever is in a slow path when it is due, once it is out of it, and
/// what only jemalloc's own books tell is as the host last read it: refreshing them takes locks. A process that
/// allocates nothing publishes nothing new, and gives nothing back, without the thread.

#pragma once

#include <cstdint>

namespace numaheap::alloc {

/// Notes whether it is due; `now` in milliseconds. Inside a SlowPath.
void look_whether_to_publish(int64_t now) noexcept;
/// Publishes what was found due by this thread, or starts the thread that does. Outside of a SlowPath.
void publish_if_due() noexcept;

void publishing_after_fork_in_child() noexcept;

}  // namespace numaheap::alloc

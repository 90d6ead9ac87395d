/// \file
/// A thread's home: which placement its allocations come from, and when it changes.

#pragma once

#include "thread_state.hpp"

namespace numaheap::alloc {

/// What another thread asked for this one before it had a state: taken out. 0: nothing.
uint32_t take_pending_home(pthread_t thread) noexcept;

/// Does what others asked for; then looks where the thread runs (half a nanosecond). A thread that was found on another node NUMAHEAP_REBIND_AFTER
/// times in a row has moved for good: its caches are flushed and the other node becomes its home. Inside a SlowPath.
void follow_cpu(ThreadState& thread) noexcept;

/// Makes a placement the thread's home. \returns false if there is no memory for a cache. Inside a SlowPath.
bool rebind(ThreadState& thread, unsigned placement) noexcept;

}  // namespace numaheap::alloc

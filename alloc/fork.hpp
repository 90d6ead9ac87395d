/// \file
/// What fork(2) does with the heap. The handlers are registered at the first allocation, before jemalloc's, so that
/// at prepare they run last: jemalloc's locks are taken before ours, as everywhere.

#pragma once

namespace numaheap::alloc {

bool register_fork_handlers() noexcept;

}  // namespace numaheap::alloc

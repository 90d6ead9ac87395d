/// \file
/// Boots the private jemalloc with our options, once.

#pragma once

#include "numaheap/base/bytes.hpp"

namespace numaheap::alloc::jemalloc {

/// Sets the options and boots. \returns false if a size class of ours is none of jemalloc's, which only a jemalloc
/// from elsewhere can cause: then every block would waste part of its slot, and the heap refuses to start.
/// \pre called once, before any other use.
bool boot() noexcept;

/// Makes the calling thread known to jemalloc. Once per thread, at its first allocation.
void enter_thread() noexcept;

}  // namespace numaheap::alloc::jemalloc

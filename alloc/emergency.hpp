/// \file
/// Emergency memory: what a signal handler gets that allocates while its thread is inside the allocator.
///
/// A bump over a small static region, given back never: crash handlers need a little, once. Async-signal-safe.

#pragma once

#include <cstddef>

namespace numaheap::alloc {

/// \returns nullptr when the region (1 MiB) is used up.
[[nodiscard]] void* emergency_allocate(size_t bytes, size_t alignment) noexcept;
[[nodiscard]] bool is_emergency(const void* block) noexcept;
/// \pre is_emergency(block).
[[nodiscard]] size_t emergency_size(const void* block) noexcept;

}  // namespace numaheap::alloc

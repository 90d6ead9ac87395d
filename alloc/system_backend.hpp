/// \file
/// NUMAHEAP_BACKEND=system: the process' own malloc, whatever it is.
///
/// In a program that links the library these are the functions of its C library, or of an allocator that replaced
/// them. In the preload object, whose own malloc would be found by that name, they are the next ones in search order.

#pragma once

#include <cstddef>

namespace numaheap::alloc::system {

[[nodiscard]] void* allocate(size_t bytes, size_t alignment, bool zero) noexcept;
void deallocate(void* block) noexcept;
[[nodiscard]] void* reallocate(void* block, size_t bytes) noexcept;
[[nodiscard]] size_t usable_size(const void* block) noexcept;

}  // namespace numaheap::alloc::system

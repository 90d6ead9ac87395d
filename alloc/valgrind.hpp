/// \file
/// What valgrind is told: every block when it is handed out and when it is freed.
///
/// Under memcheck no cache holds blocks, so that every call comes by the slow path, where this is asked; otherwise it
/// costs the fast path nothing. Blocks are told at their usable size, since programs may use all of it: for the exact
/// size, run with NUMAHEAP_BACKEND=system.

#pragma once

#include <cstddef>
#include <cstdint>

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif

namespace numaheap::alloc::valgrind {

#if defined(RUNNING_ON_VALGRIND) && !defined(NVALGRIND)

/// Memcheck, that is: other tools (callgrind) see the heap as it is.
inline bool running() noexcept {
  char value = 0;
  char bits = 0;
  return RUNNING_ON_VALGRIND != 0 && VALGRIND_GET_VBITS(&value, &bits, 1) == 1;
}
inline void allocated(void* block, size_t bytes) noexcept {
  VALGRIND_MALLOCLIKE_BLOCK(block, bytes, 0, 0);
}
inline void freed(void* block) noexcept { VALGRIND_FREELIKE_BLOCK(block, 0); }
/// Memory of jemalloc's own: what points to a block from there is no reference that a leak check should find. Memcheck
/// does not look at what is not accessible, and is told not to mind that it is accessed nevertheless.
inline void hidden(uintptr_t start, size_t bytes) noexcept {
  (void)VALGRIND_MAKE_MEM_NOACCESS(reinterpret_cast<void*>(start), bytes);
  (void)VALGRIND_DISABLE_ADDR_ERROR_REPORTING_IN_RANGE(start, bytes);
}
/// Pages of freed blocks that serve something else now.
inline void recycled(uintptr_t start, size_t bytes) noexcept {
  (void)VALGRIND_MAKE_MEM_UNDEFINED(reinterpret_cast<void*>(start), bytes);
}

#else

inline bool running() noexcept { return false; }
inline void allocated(void*, size_t) noexcept {}
inline void freed(void*) noexcept {}
inline void hidden(uintptr_t, size_t) noexcept {}
inline void recycled(uintptr_t, size_t) noexcept {}

#endif

}  // namespace numaheap::alloc::valgrind

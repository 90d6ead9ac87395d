/// \file
/// NH_CHECK: our own state is corrupt. Prints without allocating, then aborts. For what the kernel, the caller or
/// another process decides, return an Error instead. NH_ASSERT is the same in debug builds only.

#pragma once

namespace numaheap {

/// Writes "file:line: check failed: what" to stderr with write(2) and aborts. Async-signal-safe.
[[noreturn]] void check_failed(const char* file, int line, const char* what) noexcept;

}  // namespace numaheap

#define NH_CHECK(condition)                     \
  (__builtin_expect(!!(condition), 1) ? (void)0 \
                                      : ::numaheap::check_failed(__FILE__, __LINE__, #condition))

#ifdef NDEBUG
#define NH_ASSERT(condition) ((void)0)
#else
#define NH_ASSERT(condition) NH_CHECK(condition)
#endif

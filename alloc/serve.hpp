/// \file
/// The slow halves of allocation and release: what serves a request that the inline path in numaheap/detail does not.
///
/// Threads: any; each enters a SlowPath itself.

#pragma once

#include "heap.hpp"

namespace numaheap::alloc {

/// What is asked for. The class is kDirectBlock where no class serves it; then bytes and alignment say what does.
struct Request {
  detail::SizeClass size_class;
  size_t bytes;
  size_t alignment = 1;
  bool zero = false;
  unsigned placement = kNoPlacement;  ///< kNoPlacement: the thread's home.
};

/// Serves a request from the thread's caches, its node's or its arena, then from the nearest node that has room, then
/// once more each time that the reclaim hook made some.
/// \returns nullptr with errno ENOMEM; otherwise errno is as it was.
[[nodiscard]] void* allocate_retrying(const Request& request) noexcept;

/// Gives a block home, or names and drops what is none. Inside a SlowPath of `thread`.
void deallocate_inside(ThreadState& thread, void* block) noexcept;

/// Whether the limits let the cache's placement grow by `bytes`. What this thread freed by the inline path counts
/// before a refusal. Inside a SlowPath.
[[nodiscard]] bool admitted(ThreadState& thread, HeapCache& cache, size_t bytes) noexcept;

/// What the books and the page map say of a pointer.
struct Found {
  unsigned placement = kNoPlacement;
  detail::SizeClass size_class = detail::kNoBlock;  ///< kNoBlock: not the start of a block of ours.
  size_t usable = 0;
};
[[nodiscard]] Found find(const void* block) noexcept;

inline bool too_large(size_t size) noexcept { return size > static_cast<size_t>(PTRDIFF_MAX); }

}  // namespace numaheap::alloc

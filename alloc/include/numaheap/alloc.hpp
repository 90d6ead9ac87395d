/// \file
/// The heap's C++ face: memory that lies where its thread runs, and goes home when it is freed.
///
/// Blocks are aligned to 16 bytes (a request of up to 8 bytes: to 8), or as asked. Every function may be called from
/// any thread at any time: before main, after it, in a forked child. None throws, none takes a lock that a reader of
/// statistics holds. Out of memory is a null pointer with errno ENOMEM.
///
/// Cost: a hit in the thread's cache is some ten instructions; a size known at compile time is inlined into the
/// caller, which makes the layout in numaheap/detail part of the ABI (checked at link time by a symbol's name).

#pragma once

#include <pthread.h>

#include <cstddef>
#include <span>

#include "numaheap/base/api.h"
#include "numaheap/base/bytes.hpp"
#include "numaheap/base/node_id.hpp"
#include "numaheap/base/result.hpp"
#include "numaheap/detail/thread_cache.hpp"
#include "numaheap/placement.hpp"

namespace numaheap {

namespace detail {
NH_API void* allocate_any(size_t size) noexcept;
NH_API void* allocate_missed(size_t size) noexcept;
NH_API void deallocate_missed(void* block) noexcept;
}  // namespace detail

/// Allocates `size` bytes on the calling thread's home node; 0 is served as the smallest block.
/// \returns nullptr if there is no memory, or a hard limit refuses it.
[[nodiscard]] [[gnu::always_inline]] inline void* allocate(size_t size) noexcept {
  if (__builtin_constant_p(size) && size <= detail::kMaxSmall) {
    constexpr auto kClass = [](size_t n) { return detail::class_of(n); };
    return detail::pop_or(kClass(size), [=]() noexcept { return detail::allocate_missed(size); });
  }
  return detail::allocate_any(size);
}

/// The same, filled with zeros.
[[nodiscard]] NH_API void* allocate_zeroed(size_t size) noexcept;

/// \param alignment  a power of two; else nullptr with errno EINVAL.
[[nodiscard]] NH_API void* allocate_aligned(size_t alignment, size_t size) noexcept;

/// Allocates where the placement says.
/// \param alignment  a power of two; 1 gives the usual alignment.
/// \returns nullptr with errno EINVAL for an alignment that is none or a node that does not exist or is not allowed,
///          with ENOMEM as allocate().
[[nodiscard]] NH_API void* allocate_on(Placement placement, size_t size,
                                       size_t alignment = 1) noexcept;

/// Gives a block back to the node that it came from; nullptr is ignored. A pointer that is not the start of a live
/// block of ours is dropped, counted and reported (see report.hpp), as far as it can be told: a double free cannot.
NH_API void deallocate(void* block) noexcept;

/// The same with the size that was asked for (or the usable size), which saves the look-up.
/// \pre `size` and `alignment` are those of the allocation, or size == usable_size(block).
[[gnu::always_inline]] inline void deallocate(void* block, size_t size) noexcept {
  if (__builtin_constant_p(size) && size <= detail::kMaxSmall) {
    return detail::push_or(block, detail::class_of(size), detail::deallocate_missed);
  }
  deallocate(block);
}
NH_API void deallocate(void* block, size_t size, size_t alignment) noexcept;

/// Resizes as realloc(3): nullptr allocates, the contents are kept up to the smaller size, and the block may move;
/// it stays in the placement it was made in. Size 0 is served as the smallest block.
/// \returns nullptr if there is no memory: then the old block is untouched.
[[nodiscard]] NH_API void* reallocate(void* block, size_t size) noexcept;

/// Tries to make a block hold `size` bytes without moving it.
/// \returns true if usable_size(block) >= size now.
NH_API bool expand_in_place(void* block, size_t size) noexcept;

/// Fills `blocks` with blocks of one size on the home node. Cheaper than as many calls.
/// \returns how many there were memory for; the rest of `blocks` is untouched.
NH_API size_t allocate_batch(size_t size, std::span<void*> blocks) noexcept;
/// Gives all of them back; they may be of any size and node. Null pointers are skipped.
NH_API void deallocate_batch(std::span<void* const> blocks) noexcept;

/// The bytes that the block really has, at least what was asked for; 0 for nullptr and for what is not ours.
[[nodiscard]] NH_API size_t usable_size(const void* block) noexcept;

/// True if the address lies in one of the heap's ranges.
[[nodiscard]] NH_API bool owns(const void* address) noexcept;

/// Where a pointer belongs: the node of its range. About a nanosecond for any number of nodes; no system call.
/// \returns kNoNode for interleaved memory and for what is not ours.
[[nodiscard]] inline NodeId home_node(const void* address) noexcept {
  const detail::RangeTable& ranges = detail::nh_ranges_abi1;
  const size_t range = (reinterpret_cast<uintptr_t>(address) - ranges.base) >> ranges.span_shift;
  return range < ranges.count ? NodeId{ranges.node[range]} : kNoNode;
}

/// Where the kernel says that the page is now. One system call.
/// \returns kNotFound if the page was never touched or was purged.
[[nodiscard]] NH_API Result<NodeId> resident_node(const void* address) noexcept;

/// The home node of the calling thread; kNoNode if its home is interleaved or weighted.
[[nodiscard]] NH_API NodeId thread_node() noexcept;

/// Gives the calling thread a home that it keeps wherever it runs; Placement::local() lets it follow its CPU again.
/// \returns kNotFound for a node that has no heap.
NH_API Status set_thread_home(Placement placement) noexcept;
/// The same for another thread; it takes effect at that thread's next cache miss. A thread that has not allocated yet
/// gets it at its first allocation (as far as kPendingHomes such requests are kept).
/// \pre the thread has not ended.
NH_API Status set_thread_home(pthread_t thread, Placement placement) noexcept;
inline constexpr unsigned kPendingHomes = 64;

/// Sets where the allocations of a full node go, in this order; nodes that are not named are not used.
/// \returns kNotFound if one of them has no heap; then the order is as it was.
NH_API Status set_spill_order(NodeId from, std::span<const NodeId> to) noexcept;

struct PurgeResult {
  Bytes purged;  ///< Given back to the kernel by this call.
  Bytes
      left;  ///< Unused and still resident in the node's caches and free extents, as far as known.
};

/// Gives unused memory back to the kernel, at most about `budget` bytes (one free extent more at most): first empties
/// the node-level caches, then purges free extents. For all nodes, or for one. For all nodes the caller's own cache is
/// emptied too, and other threads are asked to empty theirs at their next housekeeping.
NH_API PurgeResult purge(Bytes budget) noexcept;
NH_API PurgeResult purge(NodeId node, Bytes budget) noexcept;

/// Empties the calling thread's own cache into the node-level caches.
/// \returns the bytes that were in it.
NH_API Bytes trim() noexcept;

/// Does the housekeeping that is due by the clock (see docs/design.md), which otherwise happens in the slow paths of
/// whoever allocates: for an idle host's timer. At most some hundred microseconds; mostly a look at the clock.
NH_API void housekeep() noexcept;

/// Says that this thread will sleep for long: trims, and lets others take what it held.
NH_API void thread_idle() noexcept;

}  // namespace numaheap

/// \file
/// What a thread does with one of its NodeCaches when the inline path cannot: fill a bin, make room in one, flush.
///
/// All of it runs inside a SlowPath of the owning thread.

#pragma once

#include "heap.hpp"

namespace numaheap::detail {
/// The cache of a thread without one: always empty, always full.
NodeCache* empty_cache() noexcept;
}  // namespace numaheap::detail

namespace numaheap::alloc {

/// Fills the empty bin of a class from the transfer cache, else from the arena.
/// \returns false if there is no memory: the bin is as it was.
bool fill_bin(ThreadState& thread, HeapCache& cache, detail::SizeClass c) noexcept;

/// Makes room for one block in a full bin: lets it grow, or sends its oldest half home.
void make_room(ThreadState& thread, HeapCache& cache, detail::SizeClass c) noexcept;

/// Sends the oldest `count` blocks of a bin to the transfer cache, and what does not fit there to the arena.
void flush_bin(HeapCache& cache, detail::SizeClass c, size_t count) noexcept;
/// Sends all of them; leaves the bins' arrays and capacity. \returns the bytes.
Bytes flush_cache(HeapCache& cache) noexcept;
Bytes flush_thread(ThreadState& thread) noexcept;

/// The thread ends: sends all of it home, and leaves bins that start small again, or each thread that the state serves
/// would double what the last one needed. Arrays stay.
void leave_caches(ThreadState& thread) noexcept;

/// Makes what was the thread's home cache an outgoing one: flushed, and shallow from now on.
void make_outgoing(ThreadState& thread, HeapCache& cache) noexcept;

/// Ageing: sends home half of what bins held untouched since the last call, and takes back their capacity.
void age_cache(ThreadState& thread, HeapCache& cache) noexcept;

/// Gives blocks of a class to the arena. The starts of large ones are forgotten: nothing else tells a free extent from
/// one of them.
void give_to_arena(PlacementHeap& placement, detail::SizeClass c, void* const* blocks,
                   size_t count) noexcept;

/// Sends home what an idle transfer cache holds, at most `budget` bytes. \returns the bytes.
Bytes drain_transfer(PlacementHeap& placement, Bytes budget, bool idle_only) noexcept;

/// Notes what a bin's count says into the cache's unpublished live total. O(1).
void settle(HeapCache& cache, detail::SizeClass c) noexcept;
/// Settles and publishes all that the thread holds: for when a limit refuses, where the cost is no matter.
void settle_thread(ThreadState& thread) noexcept;
/// Publishes the cache's live total if it moved by more than kPublishGrain, or at once with `force`.
void publish(HeapCache& cache, bool force) noexcept;

/// The most blocks that a bin of the thread's home cache may hold, of an outgoing cache.
unsigned most_blocks(bool home, detail::SizeClass c) noexcept;

/// The order of a bin's invariants; aborts if one is broken.
void check_invariants(const HeapCache& cache) noexcept;

}  // namespace numaheap::alloc

/// \file
/// What the heap holds, from its own books: exact when nothing runs, never negative.
///
/// Nothing is counted per operation. Slow paths count what a thread's cache was filled with and what it gave back;
/// live = filled - given back - still cached. A reader's scan is not a snapshot: its error is at most the bytes that
/// changed hands while it ran (scan_ns says how long that was).
///
/// Threads: any. Nothing here allocates, and no allocation waits for a reader.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "numaheap/base/api.h"
#include "numaheap/base/bytes.hpp"
#include "numaheap/base/node_id.hpp"
#include "numaheap/numa/address_space.hpp"

namespace numaheap {

/// One placement: a NUMA node, or the interleaved or the weighted range (then node is kNoNode).
struct PlacementStatistics {
  NodeId node;
  numa::Placing placing;
  numa::PolicyRung rung;
  Bytes live;           ///< Handed out and not freed, by the usable size of blocks.
  Bytes thread_cached;  ///< In the caches of threads, outgoing buffers included.
  Bytes node_cached;    ///< In the transfer cache.
  Bytes
      extents;  ///< Held by the arena: slabs, large blocks, its dirty extents and its own metadata.
  Bytes free_dirty;        ///< Free extents outside the arena whose pages are still resident.
  Bytes opened;            ///< Readable and writable address space, used or not.
  uint64_t spilled_bytes;  ///< Ever carved here because another node's range was full.
  uint64_t
      returned_bytes;  ///< Ever given back by threads' caches, those of other nodes' threads too.
  uint64_t freed_remote_bytes;  ///< Ever sent home here by threads of other nodes.
  uint64_t purged_bytes;        ///< Ever given back to the kernel.
};

struct Statistics {
  Bytes live;         ///< Sum over the placements: what Redis calls used_memory.
  Bytes peak;         ///< Highest live figure seen at a slow path or by a reader.
  int64_t peak_time;  ///< Unix time of it, seconds.
  Bytes thread_cached;
  Bytes node_cached;
  Bytes extents;
  Bytes free_dirty;
  Bytes opened;
  Bytes
      metadata;  ///< The heap's own structures: threads' caches, magazines, free extents' nodes; not the page map.
  unsigned placements;  ///< How many of `placement` are filled.
  unsigned threads;     ///< Threads that have a cache now.
  uint64_t misuses;     ///< Pointers dropped so far.
  uint64_t clamped;     ///< Figures that would have been negative during a scan, so far.
  uint64_t scan_ns;     ///< How long this scan took.
  PlacementStatistics placement[numa::AddressSpace::kMaxRanges];
};

/// One pass over all threads' counters.
NH_API void read_statistics(Statistics& statistics) noexcept;

/// What the arenas' own books say; they refresh all of jemalloc's statistics, which takes its locks one by one
/// (tens of microseconds and up): for a person or a report, not for a timer.
struct ArenaStatistics {
  Bytes allocated;  ///< Blocks handed out by jemalloc, what caches hold included.
  Bytes active;     ///< Pages of slabs and large blocks in use.
  Bytes resident;   ///< Pages that may be resident: active, dirty, metadata.
  Bytes metadata;
  Bytes dirty;
  Bytes muzzy;
  Bytes retained;
  Bytes mapped;
  Bytes small_waste;  ///< Free slots in slabs that are in use.
};
NH_API ArenaStatistics read_arena_statistics() noexcept;
/// The same for one placement (an index below Statistics::placements).
NH_API ArenaStatistics read_arena_statistics(unsigned placement) noexcept;

/// One of jemalloc's small size classes in the arenas, as of the last read_arena_statistics(). Blocks that our caches
/// hold count as in use.
struct BinStatistics {
  size_t block_bytes;
  uint32_t blocks_per_slab;
  size_t slab_bytes;
  size_t blocks;  ///< In use.
  size_t slabs;
  size_t nonfull_slabs;
};
/// \returns how many bins there are; at most rows.size() of them are written.
NH_API size_t read_bin_statistics(std::span<BinStatistics> rows) noexcept;
/// The same for one placement.
NH_API size_t read_bin_statistics(unsigned placement, std::span<BinStatistics> rows) noexcept;

struct ClassStatistics {
  NodeId node;         ///< kNoNode for interleaved and weighted ranges.
  size_t block_bytes;  ///< 0: blocks above the largest class; live_blocks counts them.
  uint64_t live_blocks;
  uint64_t cached_blocks;  ///< In threads' caches.
  Bytes live;
};
/// Live and cached by placement and size class, classes that were never used left out.
/// \returns how many there are; at most rows.size() of them are written.
NH_API size_t read_class_statistics(std::span<ClassStatistics> rows) noexcept;

struct ThreadStatistics {
  int thread_id;  ///< gettid() of the thread that has the cache.
  NodeId home;
  Bytes cached;
  uint64_t filled_bytes;  ///< Taken from the node-level caches since the thread started.
  uint64_t
      returned_bytes;  ///< Given to them. The difference says nothing: threads free what others allocated.
};
NH_API size_t read_thread_statistics(std::span<ThreadStatistics> rows) noexcept;

/// Live bytes, cheap enough for every command (under 100 ns, any number of threads): the caller's own cache summed
/// exactly plus the others' last published totals (each within its publication grain, kPublishGrain, and what its
/// cache did since).
NH_API size_t used_memory() noexcept;
/// How far a thread's total may drift before it is published.
inline constexpr Bytes kPublishGrain = KiB(16);

struct Peak {
  Bytes live;
  int64_t unix_seconds;
};
NH_API Peak peak_memory() noexcept;

}  // namespace numaheap

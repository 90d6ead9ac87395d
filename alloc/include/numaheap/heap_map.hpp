/// \file
/// The heap map: each placement's opened range as at most RangeMap::kMostCells cells, so that a person sees
/// fragmentation: which pages are full, which are held by a few blocks, which are free.
///
/// It is drawn while others allocate: no lock is held for more than some microseconds and nobody waits for it, so a
/// cell may be wrong about what changes in that moment. Slabs are asked for their free slots without jemalloc's locks;
/// where a slab spans several cells, its blocks are taken to lie evenly. What only jemalloc's refill caches hold counts
/// as used.

#pragma once

#include <span>

#include "numaheap/base/api.h"
#include "numaheap/stats/range_map.hpp"

namespace numaheap {

/// Draws a placement (an index below Statistics::placements) into `cells`, RangeMap::kMostCells of them.
/// \returns false if there is no such placement, as on the system back end, there are not so many cells, or this is a
///          signal handler whose thread was inside the heap.
/// Threads: any. Allocates nothing. Cost: some 50 ns for each slab, large block and free extent; some
/// milliseconds for each GiB of small blocks.
NH_API bool draw_heap_map(unsigned placement, stats::RangeMap& map,
                          std::span<stats::MapCell> cells) noexcept;

}  // namespace numaheap

/// \file
/// Figures: what mallctl("stats.*") answers, as of the last refresh, as jemalloc's own statistics are as of the last
/// write to "epoch".
///
/// Arenas are numbered as the heap's placements are. Threads: any. A refresh scans all threads' counters (microseconds);
/// what only the arenas' own books know is read at the first question after it (tens of microseconds a placement).
/// Nothing here allocates.

#pragma once

#include <cstdint>

#include "numaheap/statistics.hpp"

namespace numaheap::preload {

/// MALLCTL_ARENAS_ALL of jemalloc's header: the sum over all arenas.
inline constexpr size_t kAllArenas = 4096;

/// One arena's figures, or the sum over all.
struct ArenaFigures {
  ArenaStatistics arena;  ///< The arenas' own books.
  Bytes thread_cached;
  Bytes free_dirty;  ///< Free and resident, and out of the arena's books.
  Bytes metadata;    ///< Ours, beside the arena's own; 0 for a single arena.

  [[nodiscard]] Bytes resident() const { return arena.resident + free_dirty + metadata; }
  [[nodiscard]] Bytes mapped() const { return arena.mapped + free_dirty + metadata; }
  [[nodiscard]] Bytes dirty() const { return arena.dirty + free_dirty; }
  [[nodiscard]] Bytes all_metadata() const { return arena.metadata + metadata; }
};

/// Takes new figures. \returns how often that was done, the first included.
uint64_t refresh_figures() noexcept;
/// How often it was done; takes the first ones if there are none.
uint64_t figures_epoch() noexcept;

/// How many arenas there are.
unsigned arena_count() noexcept;

/// \param arena  below arena_count(), or kAllArenas.
ArenaFigures figures_of(size_t arena) noexcept;

/// One bin of an arena, or of all. \returns false if there is no such bin.
bool find_bin(size_t arena, size_t bin, BinStatistics& figures) noexcept;

/// What the bins of an arena hold; the rest of what is allocated is in extents.
size_t small_bytes(size_t arena) noexcept;

/// The heap's own figures, as of the last refresh. A copy of some kilobytes.
void heap_figures(Statistics& statistics) noexcept;

/// Makes the lock safe in forked children. Called once, at load.
void keep_figures_across_fork() noexcept;

}  // namespace numaheap::preload

#include "control_figures.hpp"

#include <pthread.h>

#include "numaheap/alloc.hpp"
#include "numaheap/base/mutex.hpp"
#include "numaheap/stats/registry.hpp"
#include "size_classes.hpp"

namespace numaheap::preload {
namespace {

struct KnownArena {
  uint64_t epoch = 0;  ///< When it was read; 0: never.
  ArenaStatistics statistics;
};

/// The bins of the arena that was asked for last: who asks for one asks for all.
struct KnownBins {
  uint64_t epoch = 0;
  size_t arena = 0;
  size_t count = 0;
  BinStatistics rows[kBins];
};

constinit Mutex g_mutex;
constinit uint64_t g_epoch NH_GUARDED_BY(g_mutex) = 0;
constinit Statistics g_heap NH_GUARDED_BY(g_mutex){};
constinit KnownArena g_all NH_GUARDED_BY(g_mutex){};
constinit KnownArena g_arenas[numa::AddressSpace::kMaxRanges] NH_GUARDED_BY(g_mutex){};
constinit KnownBins g_bins NH_GUARDED_BY(g_mutex){};

void refresh() NH_REQUIRES(g_mutex) {
  read_statistics(g_heap);
  ++g_epoch;
  // Who asks at this rate may well see in what is published what this costs: the arenas' figures are kept for that.
  (void)stats::take_snapshot({}, stats::Detail::kSummary);
}

void ensure_first() NH_REQUIRES(g_mutex) {
  if (g_epoch == 0) refresh();
}

const ArenaStatistics& books_of(size_t arena) NH_REQUIRES(g_mutex) {
  ensure_first();
  const bool all = arena == kAllArenas;
  KnownArena& known = all ? g_all : g_arenas[arena];
  if (known.epoch != g_epoch) {
    known.statistics =
        all ? read_arena_statistics() : read_arena_statistics(static_cast<unsigned>(arena));
    known.epoch = g_epoch;
  }
  return known.statistics;
}

std::span<const BinStatistics> bins_of(size_t arena) NH_REQUIRES(g_mutex) {
  (void)books_of(arena);  // the bins are as of its reading
  if (g_bins.epoch != g_epoch || g_bins.arena != arena) {
    g_bins.count = arena == kAllArenas
                       ? read_bin_statistics(g_bins.rows)
                       : read_bin_statistics(static_cast<unsigned>(arena), g_bins.rows);
    g_bins.epoch = g_epoch;
    g_bins.arena = arena;
  }
  return {g_bins.rows, g_bins.count};
}

}  // namespace

uint64_t refresh_figures() noexcept {
  housekeep();  // who asks ten times a second, as Redis does, keeps an otherwise idle heap going
  MutexLock lock(g_mutex);
  refresh();
  return g_epoch;
}

uint64_t figures_epoch() noexcept {
  MutexLock lock(g_mutex);
  ensure_first();
  return g_epoch;
}

unsigned arena_count() noexcept {
  MutexLock lock(g_mutex);
  ensure_first();
  return g_heap.placements;
}

ArenaFigures figures_of(size_t arena) noexcept {
  MutexLock lock(g_mutex);
  const ArenaStatistics& books = books_of(arena);
  if (arena == kAllArenas) return {books, g_heap.thread_cached, g_heap.free_dirty, g_heap.metadata};
  const PlacementStatistics& placement = g_heap.placement[arena];
  return {books, placement.thread_cached, placement.free_dirty, Bytes{}};
}

bool find_bin(size_t arena, size_t bin, BinStatistics& figures) noexcept {
  MutexLock lock(g_mutex);
  const std::span<const BinStatistics> bins = bins_of(arena);
  if (bin >= bins.size()) return false;
  figures = bins[bin];
  return true;
}

size_t small_bytes(size_t arena) noexcept {
  MutexLock lock(g_mutex);
  size_t bytes = 0;
  for (const BinStatistics& bin : bins_of(arena)) bytes += bin.blocks * bin.block_bytes;
  return bytes;
}

void heap_figures(Statistics& statistics) noexcept {
  MutexLock lock(g_mutex);
  ensure_first();
  statistics = g_heap;
}

void keep_figures_across_fork() noexcept {
  // Held across fork, so that the child finds whole figures. Registered after the heap's own handlers, and so run
  // before them at prepare: the order in which refresh() takes the locks.
  pthread_atfork([]() NH_NO_THREAD_SAFETY_ANALYSIS { g_mutex.lock(); },
                 []() NH_NO_THREAD_SAFETY_ANALYSIS { g_mutex.unlock(); },
                 []() NH_NO_THREAD_SAFETY_ANALYSIS { g_mutex.reset_after_fork(); });
}

}  // namespace numaheap::preload

/// \file
/// malloc_stats_print: the heap's books as text for people (numaheap/malloc_stats.h), or with "J" among the options as
/// JSON under jemalloc's keys. Other options leave parts out, as jemalloc's do: g (what is fixed), m (the sums over
/// arenas), a (each arena), b (bins).

#include <string.h>
#include <unistd.h>

#include <algorithm>

#include "control.hpp"
#include "control_figures.hpp"
#include "numaheap/malloc_stats.h"
#include "size_classes.hpp"
#include "stats_pieces.hpp"

namespace numaheap::preload {
namespace {

using alloc::StatsParts;
using alloc::StatsPieces;

void write_to_stderr(void* /*context*/, const char* text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) { /* nobody to tell */
  }
}

void print_fixed_json(StatsPieces& out, const Statistics& heap) {
  out.print("\"arenas\":{\"narenas\":%u,\"page\":%zu,\"quantum\":16,\"nbins\":%u,\"bin\":[",
            heap.placements, kPage, kBins);
  for (size_t i = 0; i < kBins; ++i) {
    BinStatistics bin;
    if (!find_bin(kAllArenas, i, bin)) continue;
    out.print("%s{\"size\":%zu,\"nregs\":%u,\"slab_size\":%zu}", i == 0 ? "" : ",", bin.block_bytes,
              bin.blocks_per_slab, bin.slab_bytes);
  }
  out.print("],\"nlextents\":%u,\"lextent\":[", kExtentClasses);
  for (size_t i = 0; i < kExtentClasses; ++i) {
    out.print("%s{\"size\":%zu}", i == 0 ? "" : ",", extent_class_bytes(i));
  }
  out.print("]},");
}

void print_arena_json(StatsPieces& out, size_t arena, bool bins) {
  const ArenaFigures f = figures_of(arena);
  const size_t small = small_bytes(arena);
  out.print(
      "{\"pactive\":%zu,\"pdirty\":%zu,\"pmuzzy\":%zu,\"mapped\":%zu,\"retained\":%zu,\"base\":%zu,"
      "\"resident\":%zu,",
      f.arena.active.value / kPage, f.dirty().value / kPage, f.arena.muzzy.value / kPage,
      f.mapped().value, f.arena.retained.value, f.all_metadata().value, f.resident().value);
  out.print("\"tcache_bytes\":%zu,\"small\":{\"allocated\":%zu},\"large\":{\"allocated\":%zu}",
            f.thread_cached.value, small,
            f.arena.allocated.value - std::min(small, f.arena.allocated.value));
  if (bins) {
    out.print(",\"bins\":[");
    for (size_t i = 0; i < kBins; ++i) {
      BinStatistics bin;
      if (!find_bin(arena, i, bin)) continue;
      out.print("%s{\"curregs\":%zu,\"curslabs\":%zu,\"nonfull_slabs\":%zu}", i == 0 ? "" : ",",
                bin.blocks, bin.slabs, bin.nonfull_slabs);
    }
    out.print("]");
  }
  out.print("}");
}

void print_json(StatsPieces& out, const Statistics& heap, const StatsParts& parts) {
  const ArenaFigures f = figures_of(kAllArenas);
  out.print("{\"jemalloc\":{\"version\":\"%s\",", kJemallocVersion);
  if (parts.fixed) print_fixed_json(out, heap);
  out.print("\"stats\":{\"allocated\":%zu,\"active\":%zu,\"metadata\":%zu,\"metadata_thp\":0,",
            f.arena.allocated.value, f.arena.active.value, f.all_metadata().value);
  out.print("\"resident\":%zu,\"mapped\":%zu,\"retained\":%zu},\"stats.arenas\":{",
            f.resident().value, f.mapped().value, f.arena.retained.value);
  const char* separator = "";
  if (parts.sums) {
    out.print("\"merged\":");
    print_arena_json(out, kAllArenas, parts.bins);
    separator = ",";
  }
  for (unsigned i = 0; parts.arenas && i < heap.placements; ++i, separator = ",") {
    out.print("%s\"%u\":", separator, i);
    print_arena_json(out, i, parts.bins);
  }
  out.print("}}}\n");
}

}  // namespace
}  // namespace numaheap::preload

using namespace numaheap::preload;

extern "C" NH_API void malloc_stats_print(void (*write)(void* context, const char* text),
                                          void* context, const char* options) noexcept {
  if (write == nullptr) write = write_to_stderr;
  refresh_figures();  // the answers of mallctl too are from now on as of this call, as jemalloc's are
  const StatsParts parts(options);
  if (!parts.json) return nh_malloc_stats_print(write, context, options);
  numaheap::Statistics heap;
  heap_figures(heap);
  StatsPieces out(write, context);
  print_json(out, heap, parts);
}

/// glibc's: the same on stderr.
extern "C" NH_API void malloc_stats() noexcept { malloc_stats_print(nullptr, nullptr, "b"); }

/// \file
/// malloc_stats_print: the heap's books as text for people (Redis' MEMORY MALLOC-STATS), or with "J" among the options
/// as JSON under jemalloc's keys. Other options leave parts out, as jemalloc's do: g (what is fixed), m (the sums over
/// arenas), a (each arena), b (bins).

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

#include "control.hpp"
#include "control_figures.hpp"
#include "size_classes.hpp"

namespace numaheap::preload {
namespace {

using WriteCallback = void (*)(void* context, const char* text);

void write_to_stderr(void* /*context*/, const char* text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) { /* nobody to tell */
  }
}

/// Collects text and hands it over in pieces. The callback may allocate: nothing of ours is locked meanwhile.
class Output {
 public:
  Output(WriteCallback write, void* context) : write_(write), context_(context) {}
  ~Output() { flush(); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  /// \pre the piece is shorter than the buffer.
  [[gnu::format(printf, 2, 3)]] void print(const char* format, ...) {
    if (used_ > sizeof buffer_ / 2) flush();
    va_list arguments;
    va_start(arguments, format);
    used_ +=
        static_cast<size_t>(vsnprintf(buffer_ + used_, sizeof buffer_ - used_, format, arguments));
    va_end(arguments);
  }
  void flush() {
    if (used_ != 0) write_(context_, buffer_);
    used_ = 0;
  }

 private:
  WriteCallback write_;
  void* context_;
  size_t used_ = 0;
  char buffer_[2048];
};

struct Parts {
  bool json = false;
  bool fixed = true;
  bool sums = true;
  bool arenas = true;
  bool bins = true;

  explicit Parts(const char* options) {
    for (const char* option = options == nullptr ? "" : options; *option != 0; ++option) {
      if (*option == 'J') json = true;
      if (*option == 'g') fixed = false;
      if (*option == 'm') sums = false;
      if (*option == 'a') arenas = false;
      if (*option == 'b') bins = false;
    }
  }
};

const char* name(numa::Placing placing) {
  switch (placing) {
    case numa::Placing::kNode:
      return "node";
    case numa::Placing::kInterleaved:
      return "interleaved";
    case numa::Placing::kWeighted:
      return "weighted interleaved";
  }
  return "";
}

// --- text ---

void print_bins(Output& out, size_t arena) {
  out.print("bins:    size  blocks/slab     slab        slabs    not full       blocks\n");
  for (size_t i = 0; i < kBins; ++i) {
    BinStatistics bin;
    if (!find_bin(arena, i, bin) || bin.slabs == 0) continue;
    out.print("%13zu %12u %8zu %12zu %11zu %12zu\n", bin.block_bytes, bin.blocks_per_slab,
              bin.slab_bytes, bin.slabs, bin.nonfull_slabs, bin.blocks);
  }
}

void print_arena(Output& out, size_t arena, bool bins) {
  const ArenaFigures f = figures_of(arena);
  const size_t small = small_bytes(arena);
  out.print(
      "allocated %zu (small %zu, large %zu), active %zu, resident %zu, mapped %zu, metadata %zu\n",
      f.arena.allocated.value, small,
      f.arena.allocated.value - std::min(small, f.arena.allocated.value), f.arena.active.value,
      f.resident().value, f.mapped().value, f.all_metadata().value);
  out.print("in thread caches %zu, dirty %zu, muzzy %zu, free slots in slabs %zu\n",
            f.thread_cached.value, f.dirty().value, f.arena.muzzy.value, f.arena.small_waste.value);
  if (bins) print_bins(out, arena);
}

/// The heap at a glance: a line per placement.
void print_placements(Output& out, const Statistics& heap) {
  out.print("%-22s %-16s %14s %14s %14s %14s %14s\n", "placement", "policy", "live",
            "thread caches", "node caches", "extents", "free, resident");
  for (unsigned i = 0; i < heap.placements; ++i) {
    const PlacementStatistics& p = heap.placement[i];
    char label[32];
    if (p.node == kNoNode) {
      snprintf(label, sizeof label, "%s", name(p.placing));
    } else {
      snprintf(label, sizeof label, "%s %u", name(p.placing), p.node.value);
    }
    out.print("%-22s %-16s %14zu %14zu %14zu %14zu %14zu\n", label, numa::name(p.rung),
              p.live.value, p.thread_cached.value, p.node_cached.value, p.extents.value,
              p.free_dirty.value);
  }
}

void print_text(Output& out, const Statistics& heap, const Parts& parts) {
  out.print("___ Begin numaheap statistics ___\n");
  print_placements(out, heap);
  if (parts.fixed) {
    out.print("\nnumaheap %s, all sizes in bytes; page %zu, %u bins up to %zu, caches up to %zu\n",
              NUMAHEAP_VERSION, kPage, kBins, bin_bytes(kBins - 1), detail::kMaxCached);
  }
  if (parts.sums) {
    out.print("\nall: live %zu, peak %zu, threads with a cache %u, pointers dropped %llu\n",
              heap.live.value, heap.peak.value, heap.threads,
              static_cast<unsigned long long>(heap.misuses));
    print_arena(out, kAllArenas, parts.bins);
  }
  for (unsigned i = 0; parts.arenas && i < heap.placements; ++i) {
    const PlacementStatistics& p = heap.placement[i];
    out.print("\narena %u: opened %zu, ever spilled %llu, freed remotely %llu, purged %llu\n", i,
              p.opened.value, static_cast<unsigned long long>(p.spilled_bytes),
              static_cast<unsigned long long>(p.freed_remote_bytes),
              static_cast<unsigned long long>(p.purged_bytes));
    print_arena(out, i, parts.bins && heap.placements > 1);
  }
  out.print("--- End numaheap statistics ---\n");
}

// --- JSON ---

void print_fixed_json(Output& out, const Statistics& heap) {
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

void print_arena_json(Output& out, size_t arena, bool bins) {
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

void print_json(Output& out, const Statistics& heap, const Parts& parts) {
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
  refresh_figures();
  numaheap::Statistics heap;
  heap_figures(heap);
  const Parts parts(options);
  Output out(write == nullptr ? write_to_stderr : write, context);
  if (parts.json) {
    print_json(out, heap, parts);
  } else {
    print_text(out, heap, parts);
  }
}

/// glibc's: the same on stderr.
extern "C" NH_API void malloc_stats() noexcept { malloc_stats_print(nullptr, nullptr, "b"); }

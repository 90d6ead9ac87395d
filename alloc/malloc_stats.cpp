#include "numaheap/malloc_stats.h"

#include <algorithm>
#include <span>

#include "numaheap/detail/size_class.hpp"
#include "numaheap/statistics.hpp"
#include "numaheap/zmalloc.h"
#include "stats_pieces.hpp"

namespace numaheap::alloc {
namespace {

constexpr const char* kVersion = &ZMALLOC_LIB[sizeof "numaheap-" - 1];
constexpr unsigned kBins = detail::class_of(detail::kMaxSmall) - detail::kFirstClass + 1u;

/// What is known of one arena, or of all together.
class ArenaBooks {
 public:
  explicit ArenaBooks(const Statistics& heap)
      : arena(read_arena_statistics()),
        thread_cached(heap.thread_cached),
        free_dirty(heap.free_dirty),
        metadata(heap.metadata),
        beside(heap.free_dirty + heap.metadata),
        bin_count_(read_bin_statistics(bins_)) {}
  ArenaBooks(const Statistics& heap, unsigned placement)
      : arena(read_arena_statistics(placement)),
        thread_cached(heap.placement[placement].thread_cached),
        free_dirty(heap.placement[placement].free_dirty),
        beside(free_dirty),
        bin_count_(read_bin_statistics(placement, bins_)) {}

  [[nodiscard]] std::span<const BinStatistics> bins() const {
    return {bins_, std::min(bin_count_, std::size(bins_))};
  }
  /// What the bins hold; the rest of what is allocated is in extents.
  [[nodiscard]] size_t small_bytes() const {
    size_t bytes = 0;
    for (const BinStatistics& bin : bins()) bytes += bin.blocks * bin.block_bytes;
    return bytes;
  }

  ArenaStatistics arena;  ///< Its own books.
  Bytes thread_cached;
  Bytes free_dirty;  ///< Free and resident, and out of the arena's books.
  Bytes metadata;    ///< Ours, beside the arena's own; of all together only.
  Bytes beside;      ///< What is resident beside the arena: the two before.

 private:
  BinStatistics bins_[kBins];
  size_t bin_count_;  // after `arena`, as of whose reading the bins are
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

void print_bins(StatsPieces& out, const ArenaBooks& books) {
  out.print("bins:    size  blocks/slab     slab        slabs    not full       blocks\n");
  for (const BinStatistics& bin : books.bins()) {
    if (bin.slabs == 0) continue;
    out.print("%13zu %12u %8zu %12zu %11zu %12zu\n", bin.block_bytes, bin.blocks_per_slab,
              bin.slab_bytes, bin.slabs, bin.nonfull_slabs, bin.blocks);
  }
}

void print_arena(StatsPieces& out, const ArenaBooks& books, bool bins) {
  const ArenaStatistics& arena = books.arena;
  const size_t small = books.small_bytes();
  out.print(
      "allocated %zu (small %zu, large %zu), active %zu, resident %zu, mapped %zu, metadata %zu\n",
      arena.allocated.value, small, arena.allocated.value - std::min(small, arena.allocated.value),
      arena.active.value, (arena.resident + books.beside).value,
      (arena.mapped + books.beside).value, (arena.metadata + books.metadata).value);
  out.print("in thread caches %zu, dirty %zu, muzzy %zu, free slots in slabs %zu\n",
            books.thread_cached.value, (arena.dirty + books.free_dirty).value, arena.muzzy.value,
            arena.small_waste.value);
  if (bins) print_bins(out, books);
}

/// The heap at a glance: a line per placement.
void print_placements(StatsPieces& out, const Statistics& heap) {
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

void print_text(StatsPieces& out, const Statistics& heap, const StatsParts& parts) {
  out.print("___ Begin numaheap statistics ___\n");
  print_placements(out, heap);
  if (parts.fixed) {
    out.print("\nnumaheap %s, all sizes in bytes; page %zu, %u bins up to %zu, caches up to %zu\n",
              kVersion, detail::kPage, kBins, detail::kMaxSmall, detail::kMaxCached);
  }
  if (parts.sums) {
    out.print("\nall: live %zu, peak %zu, threads with a cache %u, pointers dropped %llu\n",
              heap.live.value, heap.peak.value, heap.threads,
              static_cast<unsigned long long>(heap.misuses));
    print_arena(out, ArenaBooks(heap), parts.bins);
  }
  for (unsigned i = 0; parts.arenas && i < heap.placements; ++i) {
    const PlacementStatistics& p = heap.placement[i];
    out.print("\narena %u: opened %zu, ever spilled %llu, freed remotely %llu, purged %llu\n", i,
              p.opened.value, static_cast<unsigned long long>(p.spilled_bytes),
              static_cast<unsigned long long>(p.freed_remote_bytes),
              static_cast<unsigned long long>(p.purged_bytes));
    print_arena(out, ArenaBooks(heap, i), parts.bins && heap.placements > 1);
  }
  out.print("--- End numaheap statistics ---\n");
}

}  // namespace
}  // namespace numaheap::alloc

void nh_malloc_stats_print(void (*write)(void* context, const char* text), void* context,
                           const char* options) noexcept {
  using namespace numaheap;
  Statistics heap;
  read_statistics(heap);
  alloc::StatsPieces out(write, context);
  alloc::print_text(out, heap, alloc::StatsParts(options));
}

#include <atomic>
#include <chrono>

#include "heap.hpp"
#include "metrics.hpp"
#include "numaheap/statistics.hpp"
#include "numaheap/stats/registry.hpp"
#include "refresh_period.hpp"

// Fragmentation by size class, from the arenas' books: read now and then and kept, as in arena_metrics.cpp, and more
// rarely, since these are some hundred figures that change slowly.

namespace numaheap::alloc {

namespace {

using stats::Emitter;

constinit RefreshPeriod g_period{std::chrono::seconds(1)};
constexpr size_t kMostBins = 64;

struct Waste {
  std::atomic<size_t> block_bytes{0};  ///< 0: there is no such bin.
  std::atomic<size_t> free_bytes{0};
  std::atomic<size_t> slab_bytes{0};
};

/// By placement and bin. What is not used is never touched, and takes no memory.
constinit Waste g_waste[numa::AddressSpace::kMaxRanges][kMostBins];

bool read_bins() noexcept {
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    (void)read_arena_statistics(i);  // which makes the bins' figures those of now
    BinStatistics bins[kMostBins];
    const size_t count = read_bin_statistics(i, bins);
    for (size_t bin = 0; bin < count; ++bin) {
      const BinStatistics& read = bins[bin];
      const size_t room = read.slabs * read.blocks_per_slab;
      // Blocks may have come between the two figures.
      const size_t free_blocks = room > read.blocks ? room - read.blocks : 0;
      g_waste[i][bin].free_bytes.store(free_blocks * read.block_bytes, std::memory_order_relaxed);
      g_waste[i][bin].slab_bytes.store(read.slabs * read.slab_bytes, std::memory_order_relaxed);
      g_waste[i][bin].block_bytes.store(read.block_bytes, std::memory_order_relaxed);
    }
  }
  return true;
}

void read(void* context, Emitter& out) noexcept;

const char* why_no_bins(void* context) noexcept {
  const char* why = why_no_books(context);
  return why != nullptr ? why : "the arenas' books were not read yet, or no slab is in use";
}

constinit stats::Metric g_slabs{.name = "numaheap_class_slab_bytes",
                                .help = "Slabs of a size class of small blocks.",
                                .notes = "Read at most once a second.",
                                .unit = stats::Unit::kBytes,
                                .detail = stats::Detail::kPerClass,
                                .label_keys = {"node", "block_bytes"},
                                .why = why_no_bins};
constinit stats::Metric g_fragmented{
    .name = "numaheap_class_fragmented_bytes",
    .help = "Free slots in the slabs of a size class.",
    .notes =
        "numaheap_fragmented_bytes by class, read at most once a second. A class in which it is "
        "most of numaheap_class_slab_bytes is one that the program once had many more blocks of.",
    .unit = stats::Unit::kBytes,
    .detail = stats::Detail::kPerClass,
    .label_keys = {"node", "block_bytes"},
    .read = read,
    .why = why_no_bins};

void read(void* /*context*/, Emitter& out) noexcept {
  if (why_no_books(nullptr) != nullptr) return;
  const auto now = RefreshPeriod::clock();
  if (out.may_refresh()) g_period.refresh(now, read_bins);
  const auto age = g_period.age(now);
  if (!age) return;
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    const PlacementHeap& placement = g_heap.placement(i);
    const stats::Label node = node_label(placement.node, placement.placing);
    for (const Waste& waste : g_waste[i]) {
      const size_t block_bytes = waste.block_bytes.load(std::memory_order_relaxed);
      const size_t slab_bytes = waste.slab_bytes.load(std::memory_order_relaxed);
      if (slab_bytes == 0) continue;
      const size_t free_bytes = waste.free_bytes.load(std::memory_order_relaxed);
      out.emit(g_slabs, static_cast<int64_t>(slab_bytes), {node, block_bytes}, *age);
      out.emit(g_fragmented, static_cast<int64_t>(free_bytes), {node, block_bytes}, *age);
    }
  }
}

}  // namespace

void register_bin_metrics() noexcept {
  stats::register_metric(g_fragmented);
  stats::register_metric(g_slabs);
}

}  // namespace numaheap::alloc

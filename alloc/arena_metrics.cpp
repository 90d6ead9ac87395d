#include <atomic>
#include <chrono>

#include "heap.hpp"
#include "metrics.hpp"
#include "numaheap/statistics.hpp"
#include "numaheap/stats/info.hpp"
#include "numaheap/stats/registry.hpp"
#include "refresh_period.hpp"

// The arenas' own books are dear to read (all of jemalloc's locks, one by one), so they are kept for a while, and their
// samples carry their age.

namespace numaheap::alloc {

namespace {

using stats::Emitter;
using stats::Metric;
using stats::Unit;

constinit RefreshPeriod g_period{std::chrono::milliseconds(100)};

struct Figure {
  Metric metric;
  Bytes ArenaStatistics::*member;
  std::atomic<size_t> bytes[numa::AddressSpace::kMaxRanges] = {};  ///< By placement.
};

void read_figures(void* context, Emitter& out) noexcept;

const char* why_no_figures(void* context) noexcept {
  const char* why = why_no_books(context);
  return why != nullptr ? why : "the arenas' books were not read yet";
}

/// \param read  for the first of them, which emits for all.
constexpr Metric figure(const char* name, const char* help, const char* notes,
                        decltype(Metric::read) read = nullptr) {
  return {.name = name,
          .help = help,
          .notes = notes,
          .unit = Unit::kBytes,
          .label_keys = {"node"},
          .read = read,
          .why = why_no_figures};
}

constinit Figure g_figures[] = {
    {figure(stats::kAllocatedBytes, "Blocks that left the node's arena: live, and in caches.",
            "By the arena's own books, which are read at most ten times a second.", read_figures),
     &ArenaStatistics::allocated},
    {figure(stats::kActiveBytes, "Pages of slabs and large blocks in use.",
            "Above allocated bytes by what slabs waste."),
     &ArenaStatistics::active},
    {figure(stats::kResidentBytes,
            "Pages that may be resident: active and free dirty ones, and metadata; node heap is "
            "numaheap_metadata_bytes.",
            "An upper bound: what was opened and never touched, or swapped out, is in it. A purge "
            "gives back most of "
            "what is above active bytes."),
     &ArenaStatistics::resident},
    {figure(stats::kMuzzyBytes, "Pages that the kernel may take back when it is short of memory.",
            "Always 0 as long as purges are by MADV_DONTNEED, as they are."),
     &ArenaStatistics::muzzy},
    {figure(stats::kFragmentedBytes, "Free slots in slabs that are in use.",
            "Only blocks of the same class can use them, and no purge reaches them. Much of it: "
            "the program freed "
            "most of many slabs; it needs defragmentation, or a restart."),
     &ArenaStatistics::small_waste},
    {figure("numaheap_arena_metadata_bytes", "jemalloc's own memory.",
            "Part of the resident bytes."),
     &ArenaStatistics::metadata},
};

/// The heap's own structures, which belong to no node: part of what is resident.
constinit std::atomic<size_t> g_heap_metadata{0};

bool read_books() noexcept {
  if (why_no_books(nullptr) != nullptr) return false;
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    ArenaStatistics arena = read_arena_statistics(i);
    arena.resident +=
        g_heap.placement(i).extents.dirty();  // free and resident, and out of the arena's books
    for (Figure& figure : g_figures)
      figure.bytes[i].store((arena.*figure.member).value, std::memory_order_relaxed);
  }
  g_heap_metadata.store(g_heap.meta_pool().in_use().value, std::memory_order_relaxed);
  return true;
}

void read_figures(void* /*context*/, Emitter& out) noexcept {
  const auto now = RefreshPeriod::clock();
  if (out.may_refresh()) g_period.refresh(now, read_books);
  const auto age = g_period.age(now);
  if (!age) return;
  const auto value = [](const std::atomic<size_t>& bytes) {
    return static_cast<int64_t>(bytes.load(std::memory_order_relaxed));
  };
  for (const Figure& figure : g_figures) {
    for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
      const PlacementHeap& placement = g_heap.placement(i);
      out.emit(figure.metric, value(figure.bytes[i]),
               {node_label(placement.node, placement.placing)}, *age);
    }
    if (figure.member == &ArenaStatistics::resident)
      out.emit(figure.metric, value(g_heap_metadata), {"heap"}, *age);
  }
}

}  // namespace

void register_arena_metrics() noexcept {
  for (Figure& figure : g_figures) stats::register_metric(figure.metric);
}

}  // namespace numaheap::alloc

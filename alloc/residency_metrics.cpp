#include <atomic>
#include <chrono>

#include "heap.hpp"
#include "metrics.hpp"
#include "numaheap/numa/residency_sample.hpp"
#include "numaheap/stats/doctor_metrics.hpp"
#include "numaheap/stats/registry.hpp"
#include "refresh_period.hpp"

// The kernel tells nobody that a full node spilled: a sample of each node's pages is asked about (0.2 us a page),
// and kept with its age for a while. On a machine with one node there is nothing to ask.

namespace numaheap::alloc {

namespace {

using stats::Emitter;
using stats::Metric;
using stats::Source;
using stats::Unit;

constinit RefreshPeriod g_period{std::chrono::seconds(1)};
constexpr size_t kPagesPerNode = 128;

struct NodeEstimate {
  std::atomic<uint64_t> resident{0};
  std::atomic<uint64_t> elsewhere{0};
};

constinit NodeEstimate g_estimates[numa::kMaxHeapNodes];

void read_estimates(void* context, Emitter& out) noexcept;

const char* why_no_estimates(void* context) noexcept {
  if (const char* why = why_no_books(context)) return why;
  if (g_heap.placement_count() < 2) return "the machine has one node: nothing can lie elsewhere";
  return g_period.was_tried() ? "the kernel refuses move_pages(2)" : "no pages were sampled yet";
}

constinit Metric g_resident{.name = stats::kRangeResidentBytes,
                            .help = "Memory of the node's range that has a page, wherever it lies.",
                            .notes =
                                "From 128 pages of each range, a second old at most: within 9 % of "
                                "what is opened, 19 times in 20.",
                            .unit = Unit::kBytes,
                            .source = Source::kEstimate,
                            .label_keys = {"node"},
                            .read = read_estimates,
                            .why = why_no_estimates};
constinit Metric g_elsewhere{.name = stats::kRangeElsewhereBytes,
                             .help = "Part of it whose page is on another node.",
                             .notes =
                                 "The node was full, or something moved the pages (AutoNUMA, "
                                 "migratepages(8)). They stay there until they are migrated "
                                 "(numa/residency.hpp) or purged.",
                             .unit = Unit::kBytes,
                             .source = Source::kEstimate,
                             .label_keys = {"node"},
                             .why = why_no_estimates};

bool sample_pages() noexcept {
  const auto seed = static_cast<uint64_t>(RefreshPeriod::clock().count());
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    const PlacementHeap& placement = g_heap.placement(i);
    if (placement.placing != numa::Placing::kNode) continue;
    const Bytes opened = g_heap.space().opened(i);
    if (opened == Bytes{}) continue;
    const auto sample = numa::sample_residency(g_heap.space().range_start(i), opened,
                                               placement.node, kPagesPerNode, seed);
    if (!sample) return false;  // the kernel refuses: not available
    g_estimates[i].resident.store(sample->resident.value, std::memory_order_relaxed);
    g_estimates[i].elsewhere.store(sample->elsewhere.value, std::memory_order_relaxed);
  }
  return true;
}

void read_estimates(void* /*context*/, Emitter& out) noexcept {
  if (!g_heap.is_started() || g_heap.placement_count() < 2) return;
  const auto now = RefreshPeriod::clock();
  if (out.may_refresh()) g_period.refresh(now, sample_pages);
  const auto age = g_period.age(now);
  if (!age) return;
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    const PlacementHeap& placement = g_heap.placement(i);
    if (placement.placing != numa::Placing::kNode) continue;
    const auto bytes = [](const std::atomic<uint64_t>& n) {
      return static_cast<int64_t>(n.load(std::memory_order_relaxed));
    };
    out.emit(g_resident, bytes(g_estimates[i].resident), {placement.node}, *age);
    out.emit(g_elsewhere, bytes(g_estimates[i].elsewhere), {placement.node}, *age);
  }
}

}  // namespace

void register_residency_metrics() noexcept {
  stats::register_metric(g_resident);
  stats::register_metric(g_elsewhere);
}

}  // namespace numaheap::alloc

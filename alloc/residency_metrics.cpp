#include <time.h>

#include <atomic>
#include <chrono>

#include "heap.hpp"
#include "metrics.hpp"
#include "numaheap/numa/residency_sample.hpp"
#include "numaheap/stats/doctor_metrics.hpp"
#include "numaheap/stats/registry.hpp"

// The kernel tells nobody that a full node spilled: a sample of each node's pages is asked about (0.2 us a page), at
// most once in kRefreshAfter, and kept with its age. On a machine with one node there is nothing to ask.

namespace numaheap::alloc {

namespace {

using stats::Emitter;
using stats::Metric;
using stats::Source;
using stats::Unit;
using std::chrono::nanoseconds;

constexpr nanoseconds kRefreshAfter = std::chrono::seconds(1);
constexpr size_t kPagesPerNode = 128;

struct NodeEstimate {
  std::atomic<uint64_t> resident{0};
  std::atomic<uint64_t> elsewhere{0};
};

constinit NodeEstimate g_estimates[numa::kMaxHeapNodes];
constinit std::atomic<int64_t> g_read_at{0};           // when the estimates were made; 0: never
constinit std::atomic<int64_t> g_refreshing_since{0};  // when somebody last set out to

void read_estimates(void* context, Emitter& out) noexcept;

const char* why_no_estimates(void* context) noexcept {
  if (const char* why = why_no_books(context)) return why;
  if (g_heap.placement_count() < 2) return "the machine has one node: nothing can lie elsewhere";
  return g_refreshing_since.load(std::memory_order_relaxed) == 0
             ? "no pages were sampled yet"
             : "the kernel refuses move_pages(2)";
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

int64_t now() noexcept {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

void refresh() noexcept {
  int64_t since = g_refreshing_since.load(std::memory_order_relaxed);
  const int64_t start = now();
  if (since != 0 && start - since < kRefreshAfter.count()) return;
  // relaxed: elects one reader; what it reads is published by g_read_at.
  if (!g_refreshing_since.compare_exchange_strong(since, start, std::memory_order_relaxed)) return;
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    const PlacementHeap& placement = g_heap.placement(i);
    if (placement.placing != numa::Placing::kNode) continue;
    const Bytes opened = g_heap.space().opened(i);
    if (opened == Bytes{}) continue;
    const auto seed = static_cast<uint64_t>(start);
    const auto sample = numa::sample_residency(g_heap.space().range_start(i), opened,
                                               placement.node, kPagesPerNode, seed);
    if (!sample) return;  // the kernel refuses: not available
    g_estimates[i].resident.store(sample->resident.value, std::memory_order_relaxed);
    g_estimates[i].elsewhere.store(sample->elsewhere.value, std::memory_order_relaxed);
  }
  g_read_at.store(
      now(), std::memory_order_release);  // release: pairs with the acquire in read_estimates()
}

void read_estimates(void* /*context*/, Emitter& out) noexcept {
  if (!g_heap.is_started() || g_heap.placement_count() < 2) return;
  if (out.may_refresh()) refresh();
  const int64_t read_at =
      g_read_at.load(std::memory_order_acquire);  // acquire: pairs with the release in refresh()
  if (read_at == 0) return;
  const nanoseconds age{now() - read_at};
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    const PlacementHeap& placement = g_heap.placement(i);
    if (placement.placing != numa::Placing::kNode) continue;
    const auto bytes = [](const std::atomic<uint64_t>& n) {
      return static_cast<int64_t>(n.load(std::memory_order_relaxed));
    };
    out.emit(g_resident, bytes(g_estimates[i].resident), {placement.node}, age);
    out.emit(g_elsewhere, bytes(g_estimates[i].elsewhere), {placement.node}, age);
  }
}

}  // namespace

void register_residency_metrics() noexcept {
  stats::register_metric(g_resident);
  stats::register_metric(g_elsewhere);
}

}  // namespace numaheap::alloc

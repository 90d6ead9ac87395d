#include <time.h>

#include <atomic>
#include <chrono>

#include "metrics.hpp"
#include "numaheap/statistics.hpp"
#include "numaheap/stats/info.hpp"
#include "numaheap/stats/registry.hpp"

// The arenas' own books are dear to read (all of jemalloc's locks, one by one), so they are read at most once in
// kRefreshAfter and kept, and their samples carry their age. Who finds them too old, and is the first to say so, reads
// them; others take what is there. No lock: a thread that vanishes meanwhile in a forked child costs one period.

namespace numaheap::alloc {

namespace {

using stats::Emitter;
using stats::Metric;
using stats::Unit;
using std::chrono::nanoseconds;

constexpr nanoseconds kRefreshAfter = std::chrono::milliseconds(100);

struct Figure {
  Metric metric;
  Bytes ArenaStatistics::*member;
  std::atomic<size_t> bytes{0};
};

void read_figures(void* context, Emitter& out) noexcept;

constinit Figure g_figures[] = {
    {{.name = stats::kAllocatedBytes,
      .help = "Blocks that left the arenas: live, and in caches.",
      .unit = Unit::kBytes,
      .read = read_figures},
     &ArenaStatistics::allocated},
    {{.name = stats::kActiveBytes,
      .help = "Pages of slabs and large blocks in use.",
      .unit = Unit::kBytes},
     &ArenaStatistics::active},
    {{.name = stats::kResidentBytes,
      .help = "Pages that may be resident: active, dirty, metadata.",
      .unit = Unit::kBytes},
     &ArenaStatistics::resident},
    {{.name = stats::kMuzzyBytes,
      .help = "Pages that the kernel may take back when it is short of memory.",
      .unit = Unit::kBytes},
     &ArenaStatistics::muzzy},
    {{.name = stats::kFragmentedBytes,
      .help = "Free slots in slabs that are in use.",
      .unit = Unit::kBytes},
     &ArenaStatistics::small_waste},
    {{.name = "numaheap_arena_metadata_bytes",
      .help = "jemalloc's own memory.",
      .unit = Unit::kBytes},
     &ArenaStatistics::metadata},
};

/// When the figures were last read, and when somebody last set out to; 0: never.
constinit std::atomic<int64_t> g_read_at{0};
constinit std::atomic<int64_t> g_refreshing_since{0};

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
  const ArenaStatistics arenas = read_arena_statistics();
  if (arenas.mapped.value == 0) return;  // another back end: nothing is known
  for (Figure& figure : g_figures) {
    figure.bytes.store((arenas.*figure.member).value, std::memory_order_relaxed);
  }
  g_read_at.store(now(),
                  std::memory_order_release);  // release: pairs with the acquire in read_figures()
}

void read_figures(void* /*context*/, Emitter& out) noexcept {
  if (out.may_refresh()) refresh();
  const int64_t read_at =
      g_read_at.load(std::memory_order_acquire);  // acquire: pairs with the release in refresh()
  if (read_at == 0) return;
  const nanoseconds age{now() - read_at};
  for (const Figure& figure : g_figures) {
    out.emit(figure.metric, static_cast<int64_t>(figure.bytes.load(std::memory_order_relaxed)), {},
             age);
  }
}

}  // namespace

void register_arena_metrics() noexcept {
  for (Figure& figure : g_figures) stats::register_metric(figure.metric);
}

}  // namespace numaheap::alloc

#include "map_publishing.hpp"

#include <sys/mman.h>
#include <time.h>

#include <algorithm>

#include "heap.hpp"
#include "heap_map.hpp"
#include "numaheap/stats/map_publisher.hpp"
#include "slow_path.hpp"

namespace numaheap::alloc {

namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kPeriod = std::chrono::seconds(1);
constexpr nanoseconds kBudget = std::chrono::microseconds(500);
constexpr size_t kStep =
    256;  ///< Extents between two looks at the clock: some tens of microseconds.

constinit stats::MapPublisher g_maps;
constinit HeapMapWalk g_walk;
stats::MapCell* g_cells = nullptr;
unsigned g_next = 0;  ///< The placement to draw.
nanoseconds g_round_starts{0};
nanoseconds g_next_round{0};

nanoseconds monotonic_now() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

/// Room for one map, for good.
std::span<stats::MapCell> cells() noexcept {
  constexpr size_t kBytes = stats::RangeMap::kMostCells * sizeof(stats::MapCell);
  if (g_cells == nullptr) {
    void* memory =
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return {};
    g_cells = static_cast<stats::MapCell*>(memory);
  }
  return {g_cells, stats::RangeMap::kMostCells};
}

/// \returns false if this is a signal handler inside of somebody's slow path.
bool go_on() noexcept {
  const SlowPath slow;  // a signal handler must not wait for a lock that its thread holds
  if (!slow.entered()) return false;
  if (!g_walk.is_under_way()) g_walk.begin(g_next, cells());
  (void)g_walk.step(kStep);
  return true;
}

}  // namespace

void publish_maps(nanoseconds wanted_until, bool to_the_end) noexcept {
  const unsigned placements = g_heap.placement_count();
  const nanoseconds started = monotonic_now();
  if (wanted_until <= started || placements == 0) {
    g_walk.abandon();
    return;
  }
  if (!g_maps.open(placements) || cells().empty()) return;  // no memory: no map, this time
  if (g_next == 0 && !g_walk.is_under_way()) {
    if (started < g_next_round) return;
    g_round_starts = started;
  }
  do {
    if (!go_on()) return;
    if (g_walk.is_under_way()) continue;
    g_maps.publish(g_next, g_walk.map(), cells());
    g_next = (g_next + 1) % placements;
    if (g_next != 0) continue;
    // However long one takes, a thread of its own draws for a tenth of the time at most.
    const nanoseconds now = monotonic_now();
    g_next_round =
        std::max(g_round_starts + kPeriod, now + (now - g_round_starts) * (to_the_end ? 9 : 0));
    return;
  } while (to_the_end || monotonic_now() < started + kBudget);
}

void map_publishing_after_fork_in_child() noexcept {
  g_maps.after_fork_in_child();
  g_walk.abandon();
  g_next = 0;
}

}  // namespace numaheap::alloc

#include "numaheap/statistics.hpp"

#include <ctime>

#include "accounting.hpp"
#include "node_cache.hpp"
#include "report.hpp"
#include "slow_path.hpp"

namespace numaheap {

namespace alloc {

namespace {

constexpr unsigned kMostReads = 8;  // of a thread that is in slow paths all the time

std::atomic<uint64_t> g_clamped{0};

uint64_t now_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

/// a - b, at least 0: a scan is not a snapshot, so a free may be seen whose allocation was not.
uint64_t difference(uint64_t a, uint64_t b) noexcept {
  if (a >= b) return a - b;
  g_clamped.fetch_add(1, std::memory_order_relaxed);
  return 0;
}

/// The bin's count as another thread sees it: 0 if base and top are of different arrays just now.
uint64_t count_seen(const detail::Bin& bin) noexcept {
  const size_t count = bin_count(bin);
  return count < 4096 ? count : 0;
}

/// Calls read() until the thread was not inside a slow path meanwhile, or kMostReads times.
template <class F>
void read_consistently(const ThreadState& state, F read) noexcept {
  for (unsigned i = 0; i < kMostReads; ++i) {
    // acquire: pairs with the release at the end of a SlowPath.
    const uint32_t before = state.sequence.load(std::memory_order_acquire);
    read();
    std::atomic_thread_fence(
        std::memory_order_acquire);  // pairs with the release fence at a SlowPath's start
    if (before % 2 == 0 && state.sequence.load(std::memory_order_relaxed) == before) return;
  }
}

/// Calls visit(state) for every state that a thread ever had.
template <class Visit>
void for_each_state(Visit visit) noexcept {
  for (const ThreadState* state = g_heap.first_state(); state != nullptr;
       state = state->next_registered) {
    visit(*state);
  }
}

/// nullptr: the thread never dealt with the placement.
const HeapCache* cache_of(const ThreadState& state, unsigned placement) noexcept {
  // acquire: pairs with the release in cache_for().
  return state.caches[placement].load(std::memory_order_acquire);
}

/// Adds what a cache has moved so far, if there is one.
void add_flow(const ThreadState& state, const HeapCache* cache, Flow& sum) noexcept {
  if (cache == nullptr) return;
  Flow flow;
  read_consistently(state, [&] { flow = flow_of(*cache); });
  sum.filled += flow.filled;
  sum.returned += flow.returned;
  sum.cached += flow.cached;
}

struct DirectFlow {
  uint64_t taken = 0, given = 0, taken_bytes = 0, given_bytes = 0;
};

DirectFlow direct_flow_of(const HeapCache& cache) noexcept {
  return {cache.direct_taken.load(std::memory_order_relaxed),
          cache.direct_given.load(std::memory_order_relaxed),
          cache.direct_taken_bytes.load(std::memory_order_relaxed),
          cache.direct_given_bytes.load(std::memory_order_relaxed)};
}

}  // namespace

Flow flow_of(const HeapCache& cache) noexcept {
  Flow flow;
  for_each_used_class(cache, [&](detail::SizeClass c) {
    const uint64_t size = detail::kClassSizes[c];
    flow.filled += cache.books[c].filled.load(std::memory_order_relaxed) * size;
    flow.returned += cache.books[c].returned.load(std::memory_order_relaxed) * size;
    flow.cached += count_seen(cache.bins[c]) * size;
  });
  flow.filled += cache.direct_taken_bytes.load(std::memory_order_relaxed);
  flow.returned += cache.direct_given_bytes.load(std::memory_order_relaxed);
  return flow;
}

}  // namespace alloc

using namespace alloc;

void read_statistics(Statistics& statistics) noexcept {
  statistics = Statistics{};
  const uint64_t start = now_ns();
  if (!g_heap.is_started() || g_heap.system_backend()) return;
  const unsigned count = g_heap.placement_count();
  statistics.placements = count;
  Flow total[numa::AddressSpace::kMaxRanges];
  for_each_state([&](const ThreadState& state) {
    for (unsigned i = 0; i < count; ++i) {
      const HeapCache* cache = cache_of(state, i);
      if (cache == nullptr) continue;
      add_flow(state, cache, total[i]);
      statistics.placement[i].freed_remote_bytes +=
          cache->freed_here_bytes.load(std::memory_order_relaxed);
    }
  });
  statistics.metadata = g_heap.meta_pool().in_use();
  for (unsigned i = 0; i < count; ++i) {
    PlacementHeap& placement = g_heap.placement(i);
    PlacementStatistics& out = statistics.placement[i];
    out.node = placement.node;
    out.placing = placement.placing;
    out.rung = g_heap.space().rung(i);
    out.live = Bytes{difference(total[i].filled, total[i].returned + total[i].cached)};
    out.thread_cached = Bytes{total[i].cached};
    out.node_cached = placement.transfer.held();
    out.extents = placement.extents.taken();
    out.free_dirty = placement.extents.dirty();
    out.opened = g_heap.space().opened(i);
    out.returned_bytes = total[i].returned;
    out.spilled_bytes = placement.spilled_bytes.load(std::memory_order_relaxed);
    out.purged_bytes = placement.extents.purged_total().value;
    statistics.live += out.live;
    statistics.thread_cached += out.thread_cached;
    statistics.node_cached += out.node_cached;
    statistics.extents += out.extents;
    statistics.free_dirty += out.free_dirty;
    statistics.opened += out.opened;
  }
  const Peak peak = peak_memory();
  statistics.peak = peak.live > statistics.live ? peak.live : statistics.live;
  statistics.peak_time = peak.unix_seconds;
  statistics.threads = g_heap.threads();
  statistics.misuses = misuse_count();
  statistics.clamped = g_clamped.load(std::memory_order_relaxed);
  statistics.scan_ns = now_ns() - start;
}

ArenaStatistics read_arena_statistics(unsigned placement) noexcept {
  if (!g_heap.is_started() || g_heap.system_backend() || placement >= g_heap.placement_count())
    return {};
  const SlowPath slow;  // a signal handler must not take jemalloc's locks twice
  return slow.entered() ? g_heap.placement(placement).arena.statistics() : ArenaStatistics{};
}

ArenaStatistics read_arena_statistics() noexcept {
  ArenaStatistics sum{};
  if (!g_heap.is_started()) return sum;
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    const ArenaStatistics one = read_arena_statistics(i);
    sum.allocated += one.allocated;
    sum.active += one.active;
    sum.resident += one.resident;
    sum.metadata += one.metadata;
    sum.dirty += one.dirty;
    sum.muzzy += one.muzzy;
    sum.retained += one.retained;
    sum.mapped += one.mapped;
    sum.small_waste += one.small_waste;
  }
  return sum;
}

size_t read_bin_statistics(unsigned placement, std::span<BinStatistics> rows) noexcept {
  if (!g_heap.is_started() || g_heap.system_backend() || placement >= g_heap.placement_count())
    return 0;
  const SlowPath slow;  // as in read_arena_statistics()
  return slow.entered() ? g_heap.placement(placement).arena.bin_statistics(rows) : 0;
}

size_t read_bin_statistics(std::span<BinStatistics> rows) noexcept {
  size_t count = 0;
  for (unsigned i = 0; g_heap.is_started() && i < g_heap.placement_count(); ++i) {
    BinStatistics one[64];
    const size_t read = read_bin_statistics(i, one);
    for (size_t bin = 0; bin < read && bin < rows.size(); ++bin) {
      if (bin >= count) {
        rows[count++] = one[bin];
        continue;
      }
      rows[bin].blocks += one[bin].blocks;
      rows[bin].slabs += one[bin].slabs;
      rows[bin].nonfull_slabs += one[bin].nonfull_slabs;
    }
  }
  return count;
}

size_t read_class_statistics(std::span<ClassStatistics> rows) noexcept {
  size_t found = 0;
  if (!g_heap.is_started() || g_heap.system_backend()) return 0;
  const auto add_row = [&](const ClassStatistics& row) {
    if (found < rows.size()) rows[found] = row;
    ++found;
  };
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    uint64_t filled[detail::kClassCount] = {};
    uint64_t returned[detail::kClassCount] = {};
    uint64_t cached[detail::kClassCount] = {};
    DirectFlow direct;
    for_each_state([&](const ThreadState& state) {
      const HeapCache* cache = cache_of(state, i);
      if (cache == nullptr) return;
      struct {
        uint64_t filled, returned, cached;
      } seen[detail::kClassCount] = {};
      DirectFlow seen_direct;
      read_consistently(state, [&] {
        for_each_used_class(*cache, [&](detail::SizeClass c) {
          seen[c] = {cache->books[c].filled.load(std::memory_order_relaxed),
                     cache->books[c].returned.load(std::memory_order_relaxed),
                     count_seen(cache->bins[c])};
        });
        seen_direct = direct_flow_of(*cache);
      });
      for (unsigned c = 0; c < detail::kClassCount; ++c) {
        filled[c] += seen[c].filled;
        returned[c] += seen[c].returned;
        cached[c] += seen[c].cached;
      }
      direct.taken += seen_direct.taken;
      direct.given += seen_direct.given;
      direct.taken_bytes += seen_direct.taken_bytes;
      direct.given_bytes += seen_direct.given_bytes;
    });
    const NodeId node = g_heap.placement(i).node;
    for (unsigned c = detail::kFirstClass; c < detail::kClassCount; ++c) {
      if (filled[c] == 0 && cached[c] == 0) continue;
      const uint64_t live = difference(filled[c], returned[c] + cached[c]);
      add_row(
          {node, detail::kClassSizes[c], live, cached[c], Bytes{live * detail::kClassSizes[c]}});
    }
    if (direct.taken != 0) {
      add_row({node, 0, difference(direct.taken, direct.given), 0,
               Bytes{difference(direct.taken_bytes, direct.given_bytes)}});
    }
  }
  return found;
}

size_t read_thread_statistics(std::span<ThreadStatistics> rows) noexcept {
  size_t found = 0;
  if (!g_heap.is_started() || g_heap.system_backend()) return 0;
  for_each_state([&](const ThreadState& state) {
    const int thread_id = state.thread_id.load(std::memory_order_relaxed);
    if (thread_id == 0) return;
    Flow sum;
    for (unsigned i = 0; i < g_heap.placement_count(); ++i)
      add_flow(state, cache_of(state, i), sum);
    if (found < rows.size()) {
      rows[found] = {
          thread_id, g_heap.placement(state.home_placement.load(std::memory_order_relaxed)).node,
          Bytes{sum.cached},
          difference(sum.filled, state.earlier_filled.load(std::memory_order_relaxed)),
          difference(sum.returned, state.earlier_returned.load(std::memory_order_relaxed))};
    }
    ++found;
  });
  return found;
}

}  // namespace numaheap

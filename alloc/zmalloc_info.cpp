// zmalloc's figures: what the server shows in INFO memory, from the heap's books and the arenas'.

#include <atomic>

#include "numaheap/alloc.hpp"
#include "numaheap/statistics.hpp"
#include "numaheap/zmalloc.h"

namespace numaheap {
namespace {

struct AllocatorInfo {
  size_t allocated = 0;
  size_t active = 0;
  size_t resident = 0;
  size_t retained = 0;
  size_t muzzy = 0;
  size_t small_waste = 0;
};

/// \param beside  what is resident beside the arenas: free extents, which a purge gives back, and, of all placements
///                together, the heap's own structures.
AllocatorInfo info_of(const ArenaStatistics& arena, Bytes beside) noexcept {
  return {arena.allocated.value, arena.active.value, (arena.resident + beside).value,
          arena.retained.value,  arena.muzzy.value,  arena.small_waste.value};
}

/// The last reading, for callers that ask for no fresh one. Relaxed: words of two readings may mix when two threads
/// refresh at once; each is a true figure.
class LastReading {
 public:
  AllocatorInfo refresh() noexcept {
    housekeep();  // servers ask on a timer, also when they are idle and nothing else ages the caches
    Statistics statistics;
    read_statistics(statistics);
    const AllocatorInfo info =
        info_of(read_arena_statistics(), statistics.free_dirty + statistics.metadata);
    allocated_.store(info.allocated, std::memory_order_relaxed);
    active_.store(info.active, std::memory_order_relaxed);
    resident_.store(info.resident, std::memory_order_relaxed);
    retained_.store(info.retained, std::memory_order_relaxed);
    muzzy_.store(info.muzzy, std::memory_order_relaxed);
    small_waste_.store(info.small_waste, std::memory_order_relaxed);
    read_.store(true, std::memory_order_release);  // release: pairs with the acquire in last()
    return info;
  }
  AllocatorInfo last() noexcept {
    if (!read_.load(std::memory_order_acquire)) return refresh();  // acquire: the figures are there
    return {
        allocated_.load(std::memory_order_relaxed), active_.load(std::memory_order_relaxed),
        resident_.load(std::memory_order_relaxed),  retained_.load(std::memory_order_relaxed),
        muzzy_.load(std::memory_order_relaxed),     small_waste_.load(std::memory_order_relaxed)};
  }

 private:
  std::atomic<bool> read_{false};
  std::atomic<size_t> allocated_{0};
  std::atomic<size_t> active_{0};
  std::atomic<size_t> resident_{0};
  std::atomic<size_t> retained_{0};
  std::atomic<size_t> muzzy_{0};
  std::atomic<size_t> small_waste_{0};
};

constinit LastReading last_reading;

AllocatorInfo read_info(bool refresh) noexcept {
  return refresh ? last_reading.refresh() : last_reading.last();
}

void store(size_t value, size_t* out) noexcept {
  if (out != nullptr) *out = value;
}

}  // namespace
}  // namespace numaheap

using namespace numaheap;

extern "C" {

size_t zmalloc_used_memory(void) noexcept { return used_memory(); }
size_t zmalloc_get_peak_memory(void) noexcept { return peak_memory().live.value; }
time_t zmalloc_get_peak_memory_time(void) noexcept { return peak_memory().unix_seconds; }
void zmalloc_reserve_thread_slots(int) noexcept {}
void zmalloc_register_reserved_slot(void) noexcept {}

NH_API int nh_zmalloc_get_allocator_info_redis_74(int refresh_stats, size_t* allocated,
                                                  size_t* active, size_t* resident,
                                                  size_t* retained, size_t* muzzy,
                                                  size_t* frag_smallbins_bytes) noexcept {
  const AllocatorInfo info = read_info(refresh_stats != 0);
  store(info.allocated, allocated);
  store(info.active, active);
  store(info.resident, resident);
  store(info.retained, retained);
  store(info.muzzy, muzzy);
  store(info.small_waste, frag_smallbins_bytes);
  return 1;
}
NH_API int nh_zmalloc_get_allocator_info_valkey_80(size_t* allocated, size_t* active,
                                                   size_t* resident, size_t* retained,
                                                   size_t* muzzy,
                                                   size_t* frag_smallbins_bytes) noexcept {
  return nh_zmalloc_get_allocator_info_redis_74(1, allocated, active, resident, retained, muzzy,
                                                frag_smallbins_bytes);
}
NH_API int nh_zmalloc_get_allocator_info_valkey_81(size_t* allocated, size_t* active,
                                                   size_t* resident, size_t* retained,
                                                   size_t* muzzy) noexcept {
  return nh_zmalloc_get_allocator_info_redis_74(1, allocated, active, resident, retained, muzzy,
                                                nullptr);
}
int zmalloc_get_allocator_info(size_t* allocated, size_t* active, size_t* resident) noexcept {
  return nh_zmalloc_get_allocator_info_redis_74(1, allocated, active, resident, nullptr, nullptr,
                                                nullptr);
}

int zmalloc_get_allocator_info_by_arena(unsigned arena, int, size_t* allocated, size_t* active,
                                        size_t* resident, size_t* frag_smallbins_bytes) noexcept {
  Statistics statistics;
  read_statistics(statistics);
  const bool exists = arena < statistics.placements;
  const AllocatorInfo info =
      exists ? info_of(read_arena_statistics(arena), statistics.placement[arena].free_dirty)
             : AllocatorInfo{};
  store(info.allocated, allocated);
  store(info.active, active);
  store(info.resident, resident);
  store(info.small_waste, frag_smallbins_bytes);
  return exists ? 1 : 0;
}

size_t zmalloc_get_frag_smallbins(void) noexcept {
  return read_arena_statistics().small_waste.value;
}
size_t zmalloc_get_frag_smallbins_by_arena(unsigned arena) noexcept {
  size_t waste = 0;
  zmalloc_get_allocator_info_by_arena(arena, 1, nullptr, nullptr, nullptr, &waste);
  return waste;
}

int jemalloc_purge(void) noexcept {
  trim();
  purge(TiB(64));  // more than 47 bits of address space hold: everything
  return 0;
}
void set_jemalloc_bg_thread(int) noexcept {}

}  // extern "C"

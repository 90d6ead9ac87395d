#include "serve.hpp"

#include <cerrno>
#include <cstring>

#include "accounting.hpp"
#include "emergency.hpp"
#include "housekeeping.hpp"
#include "limits.hpp"
#include "node_cache.hpp"
#include "probes.hpp"
#include "report.hpp"
#include "slow_path.hpp"
#include "system_backend.hpp"
#include "thread_home.hpp"
#include "valgrind.hpp"

namespace numaheap::alloc {

using detail::Bin;
using detail::kClassSizes;
using detail::kDirectBlock;
using detail::kFirstClass;
using detail::SizeClass;

namespace {

constexpr unsigned kMostReclaims =
    16;  // a hook that always says "try again" must not hang its thread

/// Marks and books a block that came straight from the arena. \returns its usable size.
size_t book_from_arena(HeapCache& cache, SizeClass c, void* block) noexcept {
  const size_t usable = c == kDirectBlock ? NodeArena::usable_size(block) : kClassSizes[c];
  g_heap.mark_block(block, c, usable);
  if (c == kDirectBlock) {
    count_direct_taken(cache, usable);
  } else {
    count_filled(cache, c, 1);
  }
  detail::unpoison(block, usable);
  return usable;
}

/// What serve() does where nothing is cached. jemalloc must not be asked for zeros: it would write to a block that
/// valgrind takes for freed.
void* serve_under_valgrind(HeapCache& cache, const Request& request) noexcept {
  NodeArena& arena = g_heap.placement(cache.placement).arena;
  void* block = nullptr;
  if (request.size_class == kDirectBlock) {
    block = arena.take_direct(request.bytes, request.alignment, false);
  } else {
    arena.take(request.size_class, &block, 1);
  }
  if (block == nullptr) return nullptr;
  const size_t usable = book_from_arena(cache, request.size_class, block);
  valgrind::allocated(block, usable);
  if (request.zero) memset(block, 0, usable);
  return block;
}

/// A block of a class that the bin has or gets. nullptr: there is no memory.
void* pop_or_fill(ThreadState& thread, HeapCache& cache, const Request& request) noexcept {
  const SizeClass c = request.size_class;
  Bin& bin = cache.bins[c];
  if (bin_count(bin) == 0 && !fill_bin(thread, cache, c)) return nullptr;
  void** const top = bin.top.load(std::memory_order_relaxed) - 1;
  bin.top.store(top, std::memory_order_relaxed);
  detail::unpoison(*top, kClassSizes[c]);
  if (request.zero) memset(*top, 0, request.bytes);
  return *top;
}

/// Takes a block that the cache's bin, its node's caches or its arena has. nullptr: there is none.
void* serve(ThreadState& thread, HeapCache& cache, const Request& request) noexcept {
  if (!admitted(thread, cache, request.bytes)) return nullptr;
  NodeArena& arena = g_heap.placement(cache.placement).arena;
  const SizeClass c = request.size_class;
  void* block = nullptr;
  if (g_heap.under_valgrind()) {
    block = serve_under_valgrind(cache, request);
  } else if (c == kDirectBlock) {
    block = arena.take_direct(request.bytes, request.alignment, request.zero);
    if (block != nullptr) book_from_arena(cache, c, block);
  } else if (request.zero && kClassSizes[c] > detail::kMaxSmall && bin_count(cache.bins[c]) == 0) {
    // Pages fresh from the kernel are zero already, which only the arena knows.
    block = arena.take_zeroed(c);
    if (block != nullptr) book_from_arena(cache, c, block);
  } else {
    block = pop_or_fill(thread, cache, request);
  }
  if (block == nullptr) return nullptr;
  settle(cache, c);
  publish(cache, false);
  cache.range_bytes = g_heap.space().opened(cache.placement).value;
  return block;
}

/// Puts together what the thread's and the node's caches and the arena hold: as clean extents, since dirty ones and
/// clean ones do not merge.
void release_unused(ThreadState& thread, PlacementHeap& placement) noexcept {
  flush_thread(thread);
  drain_transfer(placement, placement.transfer.held(), false);
  placement.arena.release_unused();
  placement.extents.purge(placement.extents.dirty());
}

void* try_allocate(const Request& request) noexcept {
  const SlowPath slow;
  if (!slow.entered()) return emergency_allocate(request.bytes, request.alignment);
  ThreadState* thread = slow.thread();
  if (thread == nullptr) {
    const bool system = g_heap.is_started() && g_heap.system_backend();
    return system ? system::allocate(request.bytes, request.alignment, request.zero) : nullptr;
  }
  tick(*thread);
  if (request.placement == kNoPlacement) follow_cpu(*thread);
  HeapCache* cache = request.placement == kNoPlacement
                         ? thread->home
                         : g_heap.cache_for(*thread, request.placement);
  if (cache == nullptr) return nullptr;
  void* block = serve(*thread, *cache, request);
  if (block == nullptr && limits_admit(cache->placement, request.bytes)) {
    // No memory, though what caches hold may make room when it is back together.
    release_unused(*thread, g_heap.placement(cache->placement));
    block = serve(*thread, *cache, request);
  }
  if (block != nullptr) return block;
  // The range is full (or its node's limit is met): the nearest that has room, and it is counted there.
  const PlacementHeap& wanted = g_heap.placement(cache->placement);
  for (unsigned i = 0; i < wanted.spill_count.load(std::memory_order_relaxed) && block == nullptr;
       ++i) {
    HeapCache* other = g_heap.cache_for(*thread, wanted.spill_order[i]);
    if (other == nullptr) continue;
    block = serve(*thread, *other, request);
    if (block == nullptr) continue;
    g_heap.placement(other->placement)
        .spilled_bytes.fetch_add(request.bytes, std::memory_order_relaxed);
    probe::spill(cache->placement, other->placement, request.bytes);
  }
  return block;
}

void deallocate_direct(ThreadState& thread, unsigned placement, void* block) noexcept {
  HeapCache* cache = g_heap.cache_for(thread, placement);
  const size_t usable = NodeArena::usable_size(block);
  // Nothing starts here any more: a second free of it is told apart, as long as the page is not used anew.
  g_heap.mark_block(block, detail::kNoBlock, 1);
  if (g_heap.under_valgrind()) valgrind::freed(block);
  g_heap.placement(placement).arena.give_direct(block);
  if (cache != nullptr) {
    count_direct_given(*cache, usable);
    if (cache != thread.home) {
      add(cache->freed_here_bytes, usable);
      probe::remote_free(placement, usable);
    }
    publish(*cache, false);
  }
}

}  // namespace

bool admitted(ThreadState& thread, HeapCache& cache, size_t bytes) noexcept {
  if (limits_admit(cache.placement, bytes)) return true;
  settle_thread(thread);
  return limits_admit(cache.placement, bytes);
}

void* allocate_retrying(const Request& request) noexcept {
  const int saved_errno = errno;
  for (unsigned i = 0; i < kMostReclaims; ++i) {
    void* block = try_allocate(request);
    leave_slow_path();
    if (block != nullptr) {
      errno = saved_errno;
      return block;
    }
    if (!reclaim(request.bytes)) break;
  }
  errno = ENOMEM;
  return nullptr;
}

void deallocate_inside(ThreadState& thread, void* block) noexcept {
  const unsigned placement = g_heap.placement_of(block);
  if (placement == kNoPlacement) {
    report_misuse("a pointer was freed that is not from this heap; it was dropped", block);
    return;
  }
  const SizeClass c = g_heap.class_at(block);
  if (c == kDirectBlock && reinterpret_cast<uintptr_t>(block) % detail::kPage == 0) {
    deallocate_direct(thread, placement, block);
    return;
  }
  if (c < kFirstClass ||
      (reinterpret_cast<uintptr_t>(block) & (detail::alignment_of_class(c) - 1)) != 0) {
    report_misuse("a pointer was freed that is not the start of a block; it was dropped", block);
    return;
  }
  HeapCache* cache = g_heap.cache_for(thread, placement);
  if (cache == nullptr) {  // no memory for a cache of that node: straight home
    give_to_arena(g_heap.placement(placement), c, &block, 1);
    return;
  }
  Bin& bin = cache->bins[c];
  if (g_heap.under_valgrind()) {
    valgrind::freed(block);
  } else {
    make_room(thread, *cache, c);
  }
  void** const top = bin.top.load(std::memory_order_relaxed);
  if (top == bin.limit) {  // nothing may be cached, or there is no memory for an array
    give_to_arena(g_heap.placement(placement), c, &block, 1);
    count_returned(*cache, c, 1);
  } else {
    detail::poison(block, kClassSizes[c]);
    *top = block;
    bin.top.store(top + 1, std::memory_order_relaxed);
  }
  settle(*cache, c);
  publish(*cache, false);
}

Found find(const void* block) noexcept {
  Found found;
  found.placement = g_heap.placement_of(block);
  if (found.placement == kNoPlacement) return found;
  const SizeClass c = g_heap.class_at(block);
  if (c == kDirectBlock && reinterpret_cast<uintptr_t>(block) % detail::kPage == 0) {
    found = {found.placement, c, NodeArena::usable_size(block)};
  } else if (c >= kFirstClass &&
             (reinterpret_cast<uintptr_t>(block) & (detail::alignment_of_class(c) - 1)) == 0) {
    found = {found.placement, c, kClassSizes[c]};
  }
  return found;
}

}  // namespace numaheap::alloc

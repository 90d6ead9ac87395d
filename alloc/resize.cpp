/// Resizing: in place where that is cheaper than a copy, else through the caches.

#include <cerrno>
#include <cstring>

#include "accounting.hpp"
#include "emergency.hpp"
#include "node_cache.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/detail/fast_path.hpp"
#include "report.hpp"
#include "serve.hpp"
#include "slow_path.hpp"
#include "system_backend.hpp"

namespace numaheap {

namespace alloc {

namespace {

using detail::kDirectBlock;
using detail::SizeClass;

/// Books a block of one class (or none) as given back, and one of another as taken: it was resized in place.
void rebook(HeapCache& cache, const Found& before, SizeClass c, size_t usable) noexcept {
  if (before.size_class == kDirectBlock) {
    count_direct_given(cache, before.usable);
  } else {
    count_returned(cache, before.size_class, 1);
  }
  if (c == kDirectBlock) {
    count_direct_taken(cache, usable);
  } else {
    count_filled(cache, c, 1);
  }
  publish(cache, false);
}

/// From this size on a resize tries to keep the block where it is: below, copying through the caches is cheaper than
/// asking the arena (measured: half a microsecond).
constexpr size_t kWorthKeeping = size_t{256} << 10;

bool resize_in_place(void* block, const Found& before, size_t size) noexcept {
  // Only what is an extent of its own can change its size, and only to one that is.
  if (before.usable <= detail::kMaxSmall || size <= detail::kMaxSmall) return false;
  const SlowPath slow;
  ThreadState* thread = slow.thread();
  HeapCache* cache = thread != nullptr ? g_heap.cache_for(*thread, before.placement) : nullptr;
  if (cache == nullptr ||
      (size > before.usable && !admitted(*thread, *cache, size - before.usable)))
    return false;
  const size_t usable = g_heap.placement(before.placement).arena.resize_in_place(block, size);
  if (usable == before.usable) return false;
  const SizeClass c = usable <= detail::kMaxCached ? detail::class_of(usable) : kDirectBlock;
  g_heap.mark_block(block, c, usable);
  detail::unpoison(block, usable);
  rebook(*cache, before, c, usable);
  cache->range_bytes = g_heap.space().opened(before.placement).value;
  return usable >= size;
}

/// Moves a block of no class to another size of no class: the arena may have a way without copying.
void* resize_direct(void* block, const Found& before, size_t size) noexcept {
  const SlowPath slow;
  ThreadState* thread = slow.thread();
  HeapCache* cache = thread != nullptr ? g_heap.cache_for(*thread, before.placement) : nullptr;
  if (cache == nullptr ||
      (size > before.usable && !admitted(*thread, *cache, size - before.usable)))
    return nullptr;
  // The old start is forgotten first: if the block moves, its pages may be anybody's at once.
  g_heap.mark_block(block, detail::kNoBlock, 1);
  void* moved = g_heap.placement(before.placement).arena.resize_direct(block, size);
  if (moved == nullptr) {
    g_heap.mark_block(block, kDirectBlock, 1);
    return nullptr;
  }
  const size_t usable = NodeArena::usable_size(moved);
  g_heap.mark_block(moved, kDirectBlock, usable);
  rebook(*cache, before, kDirectBlock, usable);
  cache->range_bytes = g_heap.space().opened(before.placement).value;
  return moved;
}

}  // namespace

}  // namespace alloc

void* reallocate(void* block, size_t size) noexcept {
  using namespace alloc;
  if (block == nullptr) return detail::fast_allocate(size);
  if (too_large(size)) {
    errno = ENOMEM;
    return nullptr;
  }
  if (g_heap.started() && g_heap.system_backend()) return system::reallocate(block, size);
  Found before = find(block);
  if (before.size_class == detail::kNoBlock) {
    if (!is_emergency(block)) {
      report_misuse(
          "a pointer was reallocated that is not the start of a block of this heap; nothing was "
          "done",
          block);
      leave_slow_path();
      errno = EINVAL;
      return nullptr;
    }
    before.usable = emergency_size(block);
  }
  const SizeClass c = detail::class_of(size, 1);
  if (c == before.size_class && c != detail::kDirectBlock)
    return block;  // valgrind was told the usable size
  const int saved_errno = errno;
  if (before.size_class != detail::kNoBlock && !g_heap.under_valgrind()) {
    if (before.usable >= kWorthKeeping && resize_in_place(block, before, size)) {
      leave_slow_path();
      errno = saved_errno;
      return block;
    }
    if (c == detail::kDirectBlock && before.size_class == detail::kDirectBlock) {
      if (size <= before.usable && NodeArena::usable_size(block) == before.usable &&
          size > before.usable / 2)
        return block;
      if (void* moved = resize_direct(block, before, size); moved != nullptr) {
        leave_slow_path();
        errno = saved_errno;
        return moved;
      }
    }
  }
  const bool home = t_locals.state != nullptr && t_locals.state->home_placement.load(
                                                     std::memory_order_relaxed) == before.placement;
  void* moved = home || before.placement == kNoPlacement
                    ? detail::fast_allocate(size)
                    : allocate_retrying({c, size, 1, false, before.placement});
  if (moved == nullptr) return nullptr;
  memcpy(moved, block, before.usable < size ? before.usable : size);
  detail::fast_deallocate(block);
  return moved;
}

bool expand_in_place(void* block, size_t size) noexcept {
  using namespace alloc;
  if (block == nullptr || too_large(size)) return false;
  const size_t usable = usable_size(block);
  if (usable == 0) return false;
  if (usable >= size) return true;
  if (g_heap.system_backend() || is_emergency(block)) return false;
  const int saved_errno = errno;
  const bool done = resize_in_place(block, find(block), size);
  leave_slow_path();
  errno = saved_errno;
  return done;
}

}  // namespace numaheap

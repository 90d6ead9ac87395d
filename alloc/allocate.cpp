/// The slow halves of allocation and release: what the inline path in numaheap/detail does not serve.

#include <cerrno>
#include <cstring>

#include "accounting.hpp"
#include "emergency.hpp"
#include "housekeeping.hpp"
#include "limits.hpp"
#include "node_cache.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/detail/fast_path.hpp"
#include "report.hpp"
#include "slow_path.hpp"
#include "system_backend.hpp"
#include "thread_home.hpp"
#include "valgrind.hpp"

namespace numaheap {

namespace alloc {

namespace {

using detail::Bin;
using detail::kClassSizes;
using detail::kDirectBlock;
using detail::kFirstClass;
using detail::SizeClass;

constexpr size_t kLargestAlignment = size_t{1} << 46;
constexpr unsigned kMostReclaims =
    16;  // a hook that always says "try again" must not hang its thread

/// What is asked for. The class is kDirectBlock where no class serves it; then bytes and alignment say what does.
struct Request {
  SizeClass size_class;
  size_t bytes;
  size_t alignment = 1;
  bool zero = false;
  unsigned placement = kNoPlacement;  ///< kNoPlacement: the thread's home.
};

/// Whether the limits let the cache's placement grow. What this thread freed by the inline path counts before a refusal.
bool admitted(ThreadState& thread, HeapCache& cache, size_t bytes) noexcept {
  if (limits_admit(cache.placement, bytes)) return true;
  settle_thread(thread);
  return limits_admit(cache.placement, bytes);
}

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
  if (block != nullptr) return block;
  // The range is full (or its node's limit is met): the nearest that has room, and it is counted there.
  const PlacementHeap& wanted = g_heap.placement(cache->placement);
  for (unsigned i = 0; i < wanted.spill_count.load(std::memory_order_relaxed) && block == nullptr;
       ++i) {
    HeapCache* other = g_heap.cache_for(*thread, wanted.spill_order[i]);
    if (other == nullptr) continue;
    block = serve(*thread, *other, request);
    if (block != nullptr)
      g_heap.placement(other->placement)
          .spilled_bytes.fetch_add(request.bytes, std::memory_order_relaxed);
  }
  return block;
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

void deallocate_direct(ThreadState& thread, unsigned placement, void* block) noexcept {
  HeapCache* cache = g_heap.cache_for(thread, placement);
  const size_t usable = NodeArena::usable_size(block);
  // Nothing starts here any more: a second free of it is told apart, as long as the page is not used anew.
  g_heap.mark_block(block, detail::kNoBlock, 1);
  detail::poison(block, usable);
  if (g_heap.under_valgrind()) valgrind::freed(block);
  g_heap.placement(placement).arena.give_direct(block);
  if (cache != nullptr) {
    count_direct_given(*cache, usable);
    if (cache != thread.home) add(cache->freed_here_bytes, usable);
    publish(*cache, false);
  }
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
    g_heap.placement(placement).arena.give(c, &block, 1);
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
    g_heap.placement(placement).arena.give(c, &block, 1);
    count_returned(*cache, c, 1);
  } else {
    detail::poison(block, kClassSizes[c]);
    *top = block;
    bin.top.store(top + 1, std::memory_order_relaxed);
  }
  settle(*cache, c);
  publish(*cache, false);
}

/// A block's class and usable size; class 0 for what is not a block of ours.
struct Found {
  unsigned placement = kNoPlacement;
  SizeClass size_class = detail::kNoBlock;
  size_t usable = 0;
};

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

SizeClass class_for(size_t size, size_t alignment) noexcept {
  return detail::class_of(size, alignment);
}

void* allocate_in(unsigned placement, size_t size, size_t alignment) noexcept {
  return allocate_retrying({class_for(size, alignment), size, alignment, false, placement});
}

bool too_large(size_t size) noexcept { return size > static_cast<size_t>(PTRDIFF_MAX); }

}  // namespace

}  // namespace alloc

namespace detail {

using namespace alloc;

void* refill_and_allocate(size_t size) noexcept {
  return allocate_retrying({class_for(size, 1), size});
}

void* refill_and_allocate_aligned(size_t alignment, size_t size) noexcept {
  if (too_large(size) || alignment > kLargestAlignment) {
    errno = ENOMEM;
    return nullptr;
  }
  const SizeClass c = class_for(size, alignment);
  // From 16 KiB on a class' bin may hold one, that was not looked at.
  if (size > kMaxSmall && c != kDirectBlock) {
    return pop_or(c, [=]() noexcept { return allocate_retrying({c, size, alignment}); });
  }
  return allocate_retrying({c, size, alignment});
}

void* allocate_slow(size_t size) noexcept {
  if (size <= kMaxCached)
    return pop_or(class_of(size), [=]() noexcept { return refill_and_allocate(size); });
  if (too_large(size)) {
    errno = ENOMEM;
    return nullptr;
  }
  return allocate_retrying({kDirectBlock, size});
}

void deallocate_slow(void* block) noexcept {
  if (block == nullptr) return;
  const int saved_errno = errno;
  if (is_emergency(block)) return;  // never given back
  {
    const SlowPath slow;
    if (slow.thread() != nullptr) {
      tick(*slow.thread());
      deallocate_inside(*slow.thread(), block);
    } else if (slow.entered() && g_heap.is_started() && g_heap.system_backend()) {
      system::deallocate(block);
    }
    // Otherwise a signal handler frees inside the allocator, or there is no memory for a state: the block is lost.
  }
  leave_slow_path();
  errno = saved_errno;
}

size_t usable_size_slow(const void* block) noexcept {
  if (block == nullptr) return 0;
  if (is_emergency(block)) return emergency_size(block);
  if (!g_heap.started()) return 0;
  if (g_heap.system_backend()) return system::usable_size(block);
  return find(block).usable;
}

void* allocate_any(size_t size) noexcept { return fast_allocate(size); }
void* allocate_missed(size_t size) noexcept { return refill_and_allocate(size); }
void deallocate_missed(void* block) noexcept { deallocate_slow(block); }

}  // namespace detail

void* allocate_zeroed(size_t size) noexcept {
  if (size <= detail::kMaxSmall) {
    void* block = detail::fast_allocate(size);
    if (block != nullptr) memset(block, 0, size);
    return block;
  }
  if (alloc::too_large(size)) {
    errno = ENOMEM;
    return nullptr;
  }
  return alloc::allocate_retrying({alloc::class_for(size, 1), size, 1, true});
}

void* allocate_aligned(size_t alignment, size_t size) noexcept {
  if (__builtin_expect(alignment == 0 || (alignment & (alignment - 1)) != 0, 0)) {
    errno = EINVAL;
    return nullptr;
  }
  return detail::fast_allocate_aligned(alignment, size);
}

void* allocate_on(Placement placement, size_t size, size_t alignment) noexcept {
  using namespace alloc;
  if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
    errno = EINVAL;
    return nullptr;
  }
  if (placement.kind() == Placement::Kind::kLocal)
    return detail::fast_allocate_aligned(alignment, size);
  if (too_large(size) || alignment > kLargestAlignment) {
    errno = ENOMEM;
    return nullptr;
  }
  if (!g_heap.started()) {
    errno = ENOMEM;
    return nullptr;
  }
  const unsigned index = g_heap.system_backend() ? kNoPlacement : g_heap.index_of(placement);
  if (index == kNoPlacement && !g_heap.system_backend()) {
    errno = EINVAL;
    return nullptr;
  }
  return allocate_in(index, size, alignment);
}

void deallocate(void* block) noexcept { detail::fast_deallocate(block); }

void deallocate(void* block, size_t size, size_t alignment) noexcept {
  const detail::SizeClass c = detail::class_of(size, alignment);
  if (block != nullptr && c != detail::kDirectBlock)
    return detail::push_or(block, c, detail::deallocate_missed);
  detail::deallocate_slow(block);
}

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
  const SizeClass c = class_for(size, 1);
  if (c == before.size_class && c != detail::kDirectBlock)
    return block;  // valgrind was told the usable size
  const int saved_errno = errno;
  if (before.size_class != detail::kNoBlock && !g_heap.under_valgrind()) {
    if (before.usable >= kWorthKeeping && resize_in_place(block, before, size)) {
      errno = saved_errno;
      return block;
    }
    if (c == detail::kDirectBlock && before.size_class == detail::kDirectBlock) {
      if (size <= before.usable && NodeArena::usable_size(block) == before.usable &&
          size > before.usable / 2)
        return block;
      if (void* moved = resize_direct(block, before, size); moved != nullptr) {
        errno = saved_errno;
        return moved;
      }
    }
  }
  const bool home = t_locals.state != nullptr && t_locals.state->home_placement.load(
                                                     std::memory_order_relaxed) == before.placement;
  void* moved = home || before.placement == kNoPlacement ? detail::fast_allocate(size)
                                                         : allocate_in(before.placement, size, 1);
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
  errno = saved_errno;
  return done;
}

size_t allocate_batch(size_t size, std::span<void*> blocks) noexcept {
  size_t done = 0;
  while (done < blocks.size()) {
    if (size <= detail::kMaxCached) {  // what the bin holds goes over in one copy
      const detail::SizeClass c = detail::class_of(size);
      detail::Bin& bin = detail::nh_home_cache_abi1->bins[c];
      const size_t held = alloc::bin_count(bin);
      const size_t now = held < blocks.size() - done ? held : blocks.size() - done;
      void** const top = bin.top.load(std::memory_order_relaxed) - now;
      for (size_t i = 0; i < now; ++i) {
        blocks[done + i] = top[now - 1 - i];
        detail::unpoison(blocks[done + i], detail::kClassSizes[c]);
      }
      if (now != 0) bin.top.store(top, std::memory_order_relaxed);
      done += now;
      if (done == blocks.size()) break;
    }
    void* block = detail::fast_allocate(size);
    if (block == nullptr) break;
    blocks[done++] = block;
  }
  return done;
}

void deallocate_batch(std::span<void* const> blocks) noexcept {
  for (void* block : blocks) {
    if (block != nullptr) detail::fast_deallocate(block);
  }
}

size_t usable_size(const void* block) noexcept { return detail::fast_usable_size(block); }

bool owns(const void* address) noexcept {
  using namespace alloc;
  return g_heap.is_started() &&
         (g_heap.placement_of(address) != kNoPlacement || is_emergency(address));
}

}  // namespace numaheap

/// The C++ face, and what its inline parts call when they cannot serve a request.

#include <cerrno>
#include <cstring>

#include "emergency.hpp"
#include "housekeeping.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/detail/fast_path.hpp"
#include "serve.hpp"
#include "slow_path.hpp"
#include "system_backend.hpp"

namespace numaheap {

namespace alloc {
namespace {

constexpr size_t kLargestAlignment = size_t{1} << 46;

}  // namespace
}  // namespace alloc

namespace detail {

using namespace alloc;

void* refill_and_allocate(size_t size) noexcept {
  return allocate_retrying({class_of(size, 1), size});
}

void* refill_and_allocate_aligned(size_t alignment, size_t size) noexcept {
  if (too_large(size) || alignment > kLargestAlignment) {
    errno = ENOMEM;
    return nullptr;
  }
  const SizeClass c = class_of(size, alignment);
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
  return alloc::allocate_retrying({detail::class_of(size, 1), size, 1, true});
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
  return allocate_retrying({detail::class_of(size, alignment), size, alignment, false, index});
}

void deallocate(void* block) noexcept { detail::fast_deallocate(block); }

void deallocate(void* block, size_t size, size_t alignment) noexcept {
  const detail::SizeClass c = detail::class_of(size, alignment);
  if (block != nullptr && c != detail::kDirectBlock)
    return detail::push_or(block, c, detail::deallocate_missed);
  detail::deallocate_slow(block);
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

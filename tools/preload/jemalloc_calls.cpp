/// \file
/// jemalloc's non-standard calls (jemalloc(3)), so that a program that was built for jemalloc and imports some of them
/// has them all from one heap: freeing our block through another library's sdallocx would crash.
///
/// Of the flags, alignment and zeroing are served; thread cache and arena bits are accepted and ignored: where memory
/// lies is the heap's own business. sdallocx looks the size up, so a wrong one does no harm.

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <algorithm>

#include "numaheap/alloc.hpp"
#include "numaheap/detail/fast_path.hpp"
#include "size_classes.hpp"

using numaheap::detail::fast_allocate;
using numaheap::detail::fast_allocate_aligned;
using numaheap::detail::fast_deallocate;
using numaheap::detail::fast_usable_size;
using numaheap::preload::class_bytes;

namespace {

constexpr int kLgAlignmentMask = 0x3f;  // MALLOCX_LG_ALIGN()
constexpr int kZero = 0x40;             // MALLOCX_ZERO

size_t alignment_of(int flags) { return size_t{1} << (flags & kLgAlignmentMask); }

void* allocate(size_t size, int flags) {
  const size_t alignment = alignment_of(flags);
  const bool plain = alignment <= 8;  // every block is aligned so
  if ((flags & kZero) == 0)
    return plain ? fast_allocate(size) : fast_allocate_aligned(alignment, size);
  // Zeros reach to the end of what is usable: growing with MALLOCX_ZERO counts on it.
  const size_t usable = class_bytes(size, alignment);
  if (plain && usable != 0) return numaheap::allocate_zeroed(usable);
  void* block = fast_allocate_aligned(alignment, size);
  if (block != nullptr) memset(block, 0, fast_usable_size(block));
  return block;
}

}  // namespace

extern "C" {

NH_API void* mallocx(size_t size, int flags) noexcept { return allocate(size, flags); }

NH_API void* rallocx(void* block, size_t size, int flags) noexcept {
  const size_t old_usable = fast_usable_size(block);
  const bool zero = (flags & kZero) != 0;
  if (!zero && (flags & kLgAlignmentMask) == 0) return numaheap::reallocate(block, size);
  if (old_usable != 0 && old_usable == class_bytes(size, alignment_of(flags)) &&
      reinterpret_cast<uintptr_t>(block) % alignment_of(flags) == 0) {
    return block;
  }
  void* moved = allocate(size, flags);
  if (moved == nullptr) return nullptr;
  memcpy(moved, block, std::min(old_usable, fast_usable_size(moved)));
  fast_deallocate(block);
  return moved;
}

NH_API size_t xallocx(void* block, size_t size, size_t extra, int flags) noexcept {
  const size_t old_usable = fast_usable_size(block);
  const size_t most = size + std::min(extra, SIZE_MAX - size);
  if (most > old_usable && !numaheap::expand_in_place(block, most) && size > old_usable &&
      size < most) {
    (void)numaheap::expand_in_place(block, size);
  }
  const size_t usable = fast_usable_size(block);
  if ((flags & kZero) != 0 && usable > old_usable) {
    memset(static_cast<char*>(block) + old_usable, 0, usable - old_usable);
  }
  return usable;
}

NH_API size_t sallocx(const void* block, int /*flags*/) noexcept { return fast_usable_size(block); }

NH_API void dallocx(void* block, int /*flags*/) noexcept { fast_deallocate(block); }

NH_API void sdallocx(void* block, size_t /*size*/, int /*flags*/) noexcept {
  fast_deallocate(block);
}

NH_API size_t nallocx(size_t size, int flags) noexcept {
  return class_bytes(size, alignment_of(flags));
}

}  // extern "C"

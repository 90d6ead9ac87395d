/// \file
/// The malloc family under glibc's names: what a program that was never built for us calls.
///
/// Each function does what malloc(3), posix_memalign(3) and glibc 2.36 say of it, errno included. malloc, free and
/// malloc_usable_size are the inlined hit path and a tail call; what misses is in the heap.
/// Threads: any, at any time: before constructors, after main, in a forked child.

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bit>

#include "numaheap/alloc.hpp"
#include "numaheap/detail/fast_path.hpp"

using numaheap::detail::fast_allocate;
using numaheap::detail::fast_allocate_aligned;
using numaheap::detail::fast_deallocate;
using numaheap::detail::fast_usable_size;
using numaheap::detail::kAlignedClasses;
using numaheap::detail::kMaxSmall;
using numaheap::detail::kPage;
using numaheap::detail::nh_class_table_abi1;
using numaheap::detail::pop_or;

namespace {

void* refuse(int error) {
  errno = error;
  return nullptr;
}

bool is_power_of_two(size_t value) { return value != 0 && (value & (value - 1)) == 0; }

/// glibc 2.36's memalign, which its aligned_alloc is too: any alignment, rounded up to a power of two.
void* allocate_rounding_alignment(size_t alignment, size_t size) {
  if (__builtin_expect(!is_power_of_two(alignment), 0)) {
    if (alignment > SIZE_MAX / 2 + 1) return refuse(EINVAL);
    alignment = std::bit_ceil(alignment);
  }
  return fast_allocate_aligned(alignment, size);
}

/// What posix_memalign does when the cache has no block: the error is its return value, and errno is not touched.
[[gnu::noinline]] int allocate_keeping_errno(void** result, size_t alignment, size_t size) {
  const int saved_errno = errno;
  void* block = fast_allocate_aligned(alignment, size);
  errno = saved_errno;
  if (block == nullptr) return ENOMEM;
  *result = block;
  return 0;
}

/// What realloc asks for: who grows a block is likely to grow it again, so one that is dear to copy gets a quarter more
/// than it had, as in tcmalloc; until the program writes to them, those are pages that nobody touched. Small blocks
/// would carry the slack resident, and from kLargestCopy on the arena grows them in place. Only here: the sized release
/// of the C and C++ interface derives the class from the size that was asked for.
size_t with_room_to_grow(const void* block, size_t size) noexcept {
  constexpr size_t kLargestCopy = size_t{256} << 10;
  const size_t usable = fast_usable_size(block);
  if (usable <= kMaxSmall || usable >= kLargestCopy || size <= usable) return size;
  return size > usable + usable / 4 ? size : usable + usable / 4;
}

}  // namespace

extern "C" {

NH_API void* malloc(size_t size) noexcept { return fast_allocate(size); }

NH_API void free(void* block) noexcept { fast_deallocate(block); }

NH_API void* calloc(size_t count, size_t size) noexcept {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) return refuse(ENOMEM);
  if (bytes > kMaxSmall) return numaheap::allocate_zeroed(bytes);
  void* block = fast_allocate(bytes);
  if (block != nullptr) memset(block, 0, bytes);
  return block;
}

NH_API void* realloc(void* block, size_t size) noexcept {
  if (size == 0 && block != nullptr) {  // glibc frees here and returns null
    fast_deallocate(block);
    return nullptr;
  }
  if (const size_t roomy = with_room_to_grow(block, size); roomy != size) {
    const int saved_errno = errno;
    if (void* grown = numaheap::reallocate(block, roomy); grown != nullptr) return grown;
    errno = saved_errno;  // the quarter is not worth a refusal
  }
  return numaheap::reallocate(block, size);
}

NH_API void* reallocarray(void* block, size_t count, size_t size) noexcept {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) return refuse(ENOMEM);
  return realloc(block, bytes);
}

// The sized forms of C23 look the class up all the same: it costs one load that is almost always in the cache, and a
// program that passes a wrong size, which nothing told it before, does not corrupt a cache.
NH_API void free_sized(void* block, size_t /*size*/) noexcept { fast_deallocate(block); }

NH_API void free_aligned_sized(void* block, size_t /*alignment*/, size_t /*size*/) noexcept {
  fast_deallocate(block);
}

NH_API int posix_memalign(void** result, size_t alignment, size_t size) noexcept {
  if (!is_power_of_two(alignment) || alignment < sizeof(void*)) return EINVAL;
  if (__builtin_expect(size <= kMaxSmall && alignment <= kPage, 1)) {  // a hit touches no errno
    void* block =
        pop_or(kAlignedClasses[__builtin_ctzll(alignment)][nh_class_table_abi1[(size + 7) >> 3]],
               []() noexcept -> void* { return nullptr; });
    if (__builtin_expect(block != nullptr, 1)) {
      *result = block;
      return 0;
    }
  }
  return allocate_keeping_errno(result, alignment, size);
}

NH_API void* aligned_alloc(size_t alignment, size_t size) noexcept {
  return allocate_rounding_alignment(alignment, size);
}

NH_API void* memalign(size_t alignment, size_t size) noexcept {
  return allocate_rounding_alignment(alignment, size);
}

NH_API void* valloc(size_t size) noexcept { return fast_allocate_aligned(kPage, size); }

NH_API void* pvalloc(size_t size) noexcept {
  if (size > SIZE_MAX - (kPage - 1)) return refuse(ENOMEM);
  return fast_allocate_aligned(kPage, (size + kPage - 1) & ~(kPage - 1));
}

NH_API size_t malloc_usable_size(void* block) noexcept { return fast_usable_size(block); }

}  // extern "C"

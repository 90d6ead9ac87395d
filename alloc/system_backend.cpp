#include "system_backend.hpp"

#include <malloc.h>

#include <cstdlib>

namespace numaheap::alloc::system {

void* allocate(size_t bytes, size_t alignment, bool zero) noexcept {
  if (alignment <= alignof(max_align_t)) return zero ? calloc(1, bytes) : malloc(bytes);
  void* block = nullptr;
  if (posix_memalign(&block, alignment, bytes) != 0) return nullptr;
  if (zero) __builtin_memset(block, 0, bytes);
  return block;
}

void deallocate(void* block) noexcept { free(block); }
void* reallocate(void* block, size_t bytes) noexcept {
  return realloc(block, bytes != 0 ? bytes : 1);
}
size_t usable_size(const void* block) noexcept {
  return malloc_usable_size(const_cast<void*>(block));
}

}  // namespace numaheap::alloc::system

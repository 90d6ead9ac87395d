#include "meta_pool.hpp"

#include <sys/mman.h>

#include "numaheap/base/check.hpp"

namespace numaheap::alloc {

namespace {

unsigned list_of(size_t bytes) {
  unsigned list = 0;
  while (MetaPool::kSmallest << list < bytes) ++list;
  return list;
}

}  // namespace

void* MetaPool::allocate(size_t bytes) noexcept {
  NH_ASSERT(bytes <= kLargest);
  const unsigned list = list_of(bytes);
  const size_t size = kSmallest << list;
  const MutexLock lock(mutex_);
  if (FreeBlock* block = free_[list]; block != nullptr) {
    free_[list] = block->next;
    in_use_.fetch_add(size, std::memory_order_relaxed);
    return block;
  }
  if (static_cast<size_t>(bump_end_ - bump_) < size) {
    void* chunk = mmap(nullptr, kChunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (chunk == MAP_FAILED) return nullptr;
    // What is left of the old chunk goes to the lists: largest powers of two first, as its end is aligned.
    while (static_cast<size_t>(bump_end_ - bump_) >= kSmallest) {
      unsigned piece = kLists - 1;
      while (kSmallest << piece > static_cast<size_t>(bump_end_ - bump_)) --piece;
      bump_end_ -= kSmallest << piece;
      auto* block = reinterpret_cast<FreeBlock*>(bump_end_);
      block->next = free_[piece];
      free_[piece] = block;
    }
    bump_ = static_cast<char*>(chunk);
    bump_end_ = bump_ + kChunk;
  }
  void* block = bump_;
  bump_ += size;
  in_use_.fetch_add(size, std::memory_order_relaxed);
  return block;
}

void MetaPool::deallocate(void* block, size_t bytes) noexcept {
  const unsigned list = list_of(bytes);
  auto* free_block = static_cast<FreeBlock*>(block);
  const MutexLock lock(mutex_);
  free_block->next = free_[list];
  free_[list] = free_block;
  in_use_.fetch_sub(kSmallest << list, std::memory_order_relaxed);
}

}  // namespace numaheap::alloc

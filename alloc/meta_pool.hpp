/// \file
/// MetaPool: memory for the heap's own structures (threads' caches, free extents), outside the ranges.
///
/// Powers of two from 64 bytes to 64 KiB, each with a free list over one bump region; nothing is unmapped. Fresh
/// blocks are zero, recycled ones are not. Threads: any (one lock; slow paths only).

#pragma once

#include <atomic>
#include <cstddef>

#include "numaheap/base/bytes.hpp"
#include "numaheap/base/mutex.hpp"

namespace numaheap::alloc {

class MetaPool {
 public:
  static constexpr size_t kSmallest = 64;
  static constexpr size_t kLargest = size_t{64} << 10;

  constexpr MetaPool() = default;

  /// \pre bytes <= kLargest. \returns nullptr if the kernel refuses memory.
  [[nodiscard]] void* allocate(size_t bytes) noexcept;
  /// \pre `block` came from allocate(bytes).
  void deallocate(void* block, size_t bytes) noexcept;

  /// Bytes handed out now, rounded up to powers of two.
  [[nodiscard]] Bytes in_use() const noexcept {
    return Bytes{in_use_.load(std::memory_order_relaxed)};
  }

  /// fork(2): the lock is held across it.
  void lock() noexcept NH_ACQUIRE(mutex_) { mutex_.lock(); }
  void unlock() noexcept NH_RELEASE(mutex_) { mutex_.unlock(); }

 private:
  static constexpr unsigned kLists = 11;
  static constexpr size_t kChunk = size_t{256} << 10;
  static_assert(kSmallest << (kLists - 1) == kLargest);

  struct FreeBlock {
    FreeBlock* next;
  };

  Mutex mutex_;
  FreeBlock* free_[kLists] NH_GUARDED_BY(mutex_) = {};
  char* bump_ NH_GUARDED_BY(mutex_) = nullptr;
  char* bump_end_ NH_GUARDED_BY(mutex_) = nullptr;
  std::atomic<size_t> in_use_{0};
};

}  // namespace numaheap::alloc

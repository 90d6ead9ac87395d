/// \file
/// ExtentPool: one placement's range as pages: what the arena carves its extents from and gives them back to.
///
/// Free extents are kept as dirty (their pages are still resident: cheap to use again) and clean (they read as
/// zeros). So a purge can be done in steps of any size, long after the arena let go, without holding a lock over
/// madvise(2); jemalloc itself can only purge all or nothing. Beyond the free extents the range grows by a bump.
///
/// Threads: any; one lock, held for O(log n) pointer work only. Lock order: jemalloc's locks, then this, then the
/// MetaPool's.

#pragma once

#include <atomic>
#include <span>

#include "extent_tree.hpp"
#include "numaheap/base/bytes.hpp"
#include "numaheap/base/mutex.hpp"
#include "numaheap/base/result.hpp"
#include "numaheap/numa/address_space.hpp"

namespace numaheap::alloc {

/// Which parts of a range are advised to use huge pages.
enum class HugePages : uint8_t {
  kOff,
  kAuto,   ///< All of it beyond the first kSmallHeap bytes.
  kLarge,  ///< Only blocks of 2 MiB and more.
  kOn,
};

class ExtentPool {
 public:
  /// A heap that never needed more than this stays on small pages under HugePages::kAuto, so that small processes do
  /// not pay for whole huge pages.
  static constexpr Bytes kSmallHeap = MiB(64);

  constexpr ExtentPool() = default;

  void init(numa::AddressSpace* space, unsigned range, MetaPool* pool,
            HugePages huge_pages) noexcept;

  struct Taken {
    uintptr_t start = 0;  ///< 0: the range is full or the kernel refused.
    bool zeroed = false;
  };
  /// \param at     0, or where the extent must start (growth in place).
  /// \param zero   the caller needs zeros: clean pages are preferred, dirty ones are cleared.
  /// \pre bytes and alignment are multiples of a page.
  [[nodiscard]] Taken take(size_t bytes, size_t alignment, uintptr_t at, bool zero) noexcept;
  /// \returns false if it cannot be kept track of: then the caller still owns it.
  [[nodiscard]] bool give(uintptr_t start, size_t bytes, bool dirty) noexcept;

  /// Gives dirty pages back to the kernel, lowest address first, at most `budget` bytes.
  /// \returns the bytes given back.
  Bytes purge(Bytes budget) noexcept;

  /// The free extents that end after `address`, ascending, as many as there is room for. \returns how many.
  /// Cost: O(log n) each, under the lock: ask for a few at a time.
  size_t list_free(uintptr_t address, bool dirty, std::span<Extent> room) noexcept;

  /// Takes the advice to use huge pages back for a piece that will be little used.
  void keep_small_pages(uintptr_t start, size_t bytes) noexcept;

  /// Whether an address lies in the range.
  [[nodiscard]] bool owns(const void* address) const noexcept {
    return reinterpret_cast<uintptr_t>(address) - space_->range_start(range_) <
           space_->span().value;
  }

  [[nodiscard]] Bytes dirty() const noexcept {
    return Bytes{dirty_bytes_.load(std::memory_order_relaxed)};
  }
  /// How much of the range was ever handed out; it only grows.
  [[nodiscard]] Bytes grown() const noexcept {
    return Bytes{grown_.load(std::memory_order_relaxed)};
  }
  [[nodiscard]] Bytes taken() const noexcept {
    return Bytes{taken_.load(std::memory_order_relaxed)};
  }
  [[nodiscard]] Bytes purged_total() const noexcept {
    return Bytes{purged_.load(std::memory_order_relaxed)};
  }

  void lock() noexcept NH_ACQUIRE(mutex_) { mutex_.lock(); }
  void unlock() noexcept NH_RELEASE(mutex_) { mutex_.unlock(); }
  void check_invariants() noexcept;

 private:
  Taken take_free(size_t bytes, size_t alignment, uintptr_t at, bool zero) noexcept
      NH_REQUIRES(mutex_);
  /// Adds the free clean neighbours that share a huge page with a dirty extent.
  Extent widen_to_huge_pages(Extent extent) noexcept NH_REQUIRES(mutex_);
  uintptr_t take_fresh(size_t bytes, size_t alignment, uintptr_t at) noexcept NH_REQUIRES(mutex_);

  numa::AddressSpace* space_ = nullptr;
  MetaPool* pool_ = nullptr;
  unsigned range_ = 0;
  HugePages huge_pages_ = HugePages::kOff;

  Mutex mutex_;
  ExtentTree dirty_ NH_GUARDED_BY(mutex_);
  ExtentTree clean_ NH_GUARDED_BY(mutex_);
  size_t bump_ NH_GUARDED_BY(mutex_) = 0;     ///< Offset of the first byte never handed out.
  size_t advised_ NH_GUARDED_BY(mutex_) = 0;  ///< Huge pages were decided below this offset.

  std::atomic<size_t> dirty_bytes_{0};
  std::atomic<size_t> grown_{0};  ///< bump_, for readers without the lock.
  std::atomic<size_t> taken_{0};
  std::atomic<size_t> purged_{0};
};

}  // namespace numaheap::alloc

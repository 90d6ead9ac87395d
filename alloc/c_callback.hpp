/// \file
/// CCallback: a C function and its context, read as one pair without a lock.
///
/// The heap calls back where it must not wait (beyond a hard limit, in a child forked while another thread set a
/// callback), so readers take no lock: pairs are written to the slots of a ring in turn, and a reader that was passed
/// by a whole round reads again.

#pragma once

#include <atomic>
#include <cstdint>

#include "numaheap/base/mutex.hpp"

namespace numaheap {

template <class Function>
class CCallback {
 public:
  struct Pair {
    Function* function;
    void* context;
  };

  void set(Function* function, void* context) noexcept NH_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const uint32_t next = newest_.load(std::memory_order_relaxed) + 1;
    Slot& slot = slots_[next % kSlots];
    // release: pairs with the acquires in get(); who sees a slot's new word sees how far newest_ was by then.
    slot.function.store(function, std::memory_order_release);
    slot.context.store(context, std::memory_order_release);
    newest_.store(next,
                  std::memory_order_release);  // release: pairs with get(); publishes the slot
  }

  [[nodiscard]] Pair get() const noexcept {
    while (true) {
      const uint32_t newest = newest_.load(std::memory_order_acquire);
      const Slot& slot = slots_[newest % kSlots];
      const Pair pair{slot.function.load(std::memory_order_acquire),
                      slot.context.load(std::memory_order_acquire)};
      // The slot is written again only when newest_ has come round to its predecessor.
      if (newest_.load(std::memory_order_relaxed) - newest < kSlots - 1) return pair;
    }
  }

 private:
  static constexpr uint32_t kSlots = 8;
  struct Slot {
    std::atomic<Function*> function{nullptr};
    std::atomic<void*> context{nullptr};
  };

  Mutex mutex_;  ///< Between writers.
  std::atomic<uint32_t> newest_{0};
  Slot slots_[kSlots];
};

}  // namespace numaheap

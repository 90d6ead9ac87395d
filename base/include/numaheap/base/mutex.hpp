/// \file
/// Mutex: a futex lock that allocates nothing, works before constructors and across fork, and is annotated for
/// -Wthread-safety. Spins a little, then sleeps: no thread waits for ever on a spinning one.
///
/// Source: U. Drepper, "Futexes Are Tricky", mutex 2 (0 free, 1 held, 2 held with waiters).

#pragma once

#include <atomic>
#include <cstdint>

#if defined(__clang__)
#define NH_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define NH_THREAD_ANNOTATION(x)
#endif
#define NH_CAPABILITY(x) NH_THREAD_ANNOTATION(capability(x))
#define NH_GUARDED_BY(x) NH_THREAD_ANNOTATION(guarded_by(x))
#define NH_REQUIRES(...) NH_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define NH_EXCLUDES(...) NH_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define NH_ACQUIRE(...) NH_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define NH_TRY_ACQUIRE(...) NH_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define NH_RELEASE(...) NH_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define NH_SCOPED_CAPABILITY NH_THREAD_ANNOTATION(scoped_lockable)
#define NH_NO_THREAD_SAFETY_ANALYSIS NH_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace numaheap {

class NH_CAPABILITY("mutex") Mutex {
 public:
  constexpr Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() noexcept NH_ACQUIRE() {
    uint32_t free = kFree;
    // acquire: pairs with the release in unlock(); what the last holder wrote is seen.
    if (!state_.compare_exchange_strong(free, kHeld, std::memory_order_acquire)) lock_slow();
  }
  [[nodiscard]] bool try_lock() noexcept NH_TRY_ACQUIRE(true) {
    uint32_t free = kFree;
    return state_.compare_exchange_strong(free, kHeld,
                                          std::memory_order_acquire);  // acquire: as in lock()
  }
  void unlock() noexcept NH_RELEASE() {
    // release: pairs with the acquire in lock() and lock_slow().
    if (state_.exchange(kFree, std::memory_order_release) == kHeldWithWaiters) wake_one();
  }
  /// Makes the lock free in a forked child, where no other thread exists.
  void reset_after_fork() noexcept { state_.store(kFree, std::memory_order_relaxed); }

 private:
  static constexpr uint32_t kFree = 0;
  static constexpr uint32_t kHeld = 1;
  static constexpr uint32_t kHeldWithWaiters = 2;

  // Not analysed: its try_lock() would be taken for one that its caller must answer for.
  void lock_slow() noexcept NH_NO_THREAD_SAFETY_ANALYSIS;
  void wake_one() noexcept;

  std::atomic<uint32_t> state_{kFree};
};

class NH_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) noexcept NH_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() NH_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace numaheap

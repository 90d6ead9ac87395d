#include "numaheap/base/mutex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace numaheap {

namespace {

constexpr int kSpins =
    100;  // about a microsecond: longer than a holder needs that was not descheduled

void pause_cpu() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void Mutex::lock_slow() noexcept {
  for (int i = 0; i < kSpins; ++i) {
    pause_cpu();
    if (state_.load(std::memory_order_relaxed) == kFree && try_lock()) return;
  }
  // acquire: pairs with the release in unlock(). From here on the state says that somebody may sleep.
  while (state_.exchange(kHeldWithWaiters, std::memory_order_acquire) != kFree) {
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&state_), FUTEX_WAIT_PRIVATE, kHeldWithWaiters,
            nullptr, nullptr, 0);
  }
}

void Mutex::wake_one() noexcept {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&state_), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr,
          0);
}

}  // namespace numaheap

/// \file
/// RefreshPeriod: figures that are dear to read are read at most once a period, kept, and shown with their age.
///
/// Who finds them too old, and is the first to say so, reads them; others take what is there. No lock: a thread that
/// vanishes meanwhile in a forked child costs one period. Threads: any.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>

namespace numaheap::alloc {

class RefreshPeriod {
 public:
  using nanoseconds = std::chrono::nanoseconds;

  constexpr explicit RefreshPeriod(nanoseconds period) noexcept : period_(period) {}

  /// What the other calls take as `now`; never 0.
  [[nodiscard]] static nanoseconds clock() noexcept {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return std::chrono::seconds(t.tv_sec) + nanoseconds(t.tv_nsec);
  }

  /// Calls read() unless somebody began to within the period. It stores the figures, relaxed.
  /// \param read  returns whether it could: otherwise the age stays what it was.
  template <class Read>
  void refresh(nanoseconds now, Read read) noexcept {
    int64_t since = began_.load(std::memory_order_relaxed);
    if (since != 0 && now.count() - since < period_.count()) return;
    // relaxed: elects one reader; what it reads is published by read_at_.
    if (!began_.compare_exchange_strong(since, now.count(), std::memory_order_relaxed)) return;
    // release: pairs with the acquire in age().
    if (read()) read_at_.store(now.count(), std::memory_order_release);
  }

  /// How old the figures are. Nothing: they were never read.
  [[nodiscard]] std::optional<nanoseconds> age(nanoseconds now) const noexcept {
    // acquire: pairs with the release in refresh(); figures of that time or newer are seen.
    const int64_t read_at = read_at_.load(std::memory_order_acquire);
    if (read_at == 0) return std::nullopt;
    return nanoseconds(now.count() > read_at ? now.count() - read_at : 0);
  }

  /// Whether anybody ever tried.
  [[nodiscard]] bool was_tried() const noexcept {
    return began_.load(std::memory_order_relaxed) != 0;
  }

 private:
  nanoseconds period_;
  std::atomic<int64_t> began_{0};    ///< When somebody last set out to read; 0: never.
  std::atomic<int64_t> read_at_{0};  ///< When the figures were read; 0: never.
};

}  // namespace numaheap::alloc

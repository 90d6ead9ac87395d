/// \file
/// Counter: a 64-bit total that one thread writes and any thread reads. SharedCounter: one that all
/// may write.
///
/// Both wrap modulo 2^64; nothing here clamps, so a difference of two wrapped totals is still
/// right. Writes release and reads acquire, which costs nothing on x86-64 and buys one thing: who
/// sees an addition sees everything that happened before it. So a reader that reads all "given
/// back" totals before all "filled" totals never sees more given back than filled, even when the
/// block changed threads in between.
///
/// Padding: a counter alone takes eight bytes and may share its line with whatever else the same
/// thread writes. What different threads write must be kNoSharing bytes apart: put each thread's
/// counters into one struct alignas(kNoSharing), not each counter.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace numaheap::stats {

/// The line in which the coherence protocol moves memory.
inline constexpr size_t kCacheLine = 64;

/// What keeps two threads' writes from slowing each other: two lines, since the adjacent-line
/// prefetcher of Intel's cores fetches pairs of lines and makes neighbours contend as if they
/// shared one.
inline constexpr size_t kNoSharing = 2 * kCacheLine;

/// One writer, any readers. A write is a plain load, add and store: no lock prefix.
///
/// Not for: two writers at once, not even rarely (an addition would be lost); a signal handler that
/// writes what the interrupted code writes; a decision that must be exact while the writer runs (a
/// limit), for which see SharedCounter.
class Counter {
 public:
  constexpr Counter() = default;
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  /// \pre the caller is the only writer.
  void add(uint64_t n) noexcept { set(value_.load(std::memory_order_relaxed) + n); }
  /// For a figure that goes both ways, such as bytes held. Not for what readers take as a total
  /// that only grows.
  /// \pre the caller is the only writer.
  void subtract(uint64_t n) noexcept { set(value_.load(std::memory_order_relaxed) - n); }
  /// \pre the caller is the only writer.
  void set(uint64_t n) noexcept {
    value_.store(n, std::memory_order_release);  // release: pairs with the acquire in value()
  }
  [[nodiscard]] uint64_t value() const noexcept {
    return value_.load(std::memory_order_acquire);  // acquire: pairs with the release in set()
  }

 private:
  std::atomic<uint64_t> value_{0};
};

/// Any writers, any readers; a write is one locked instruction, and its line moves between the
/// cores that write it.
///
/// Not for: what every allocation would touch. A reader of two of them does not see both at one
/// moment.
class SharedCounter {
 public:
  constexpr SharedCounter() = default;
  SharedCounter(const SharedCounter&) = delete;
  SharedCounter& operator=(const SharedCounter&) = delete;

  /// \returns the total after the addition.
  uint64_t add(uint64_t n) noexcept {
    // release: pairs with the acquire in value()
    return value_.fetch_add(n, std::memory_order_release) + n;
  }
  /// \returns the total after the subtraction.
  uint64_t subtract(uint64_t n) noexcept {
    // release: pairs with the acquire in value()
    return value_.fetch_sub(n, std::memory_order_release) - n;
  }
  [[nodiscard]] uint64_t value() const noexcept {
    // acquire: pairs with the release in add() and subtract()
    return value_.load(std::memory_order_acquire);
  }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace numaheap::stats

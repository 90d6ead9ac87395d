/// \file
/// CpuSet: a set of CPUs as the kernel numbers them, in the layout that sched_setaffinity(2) takes.
///
/// A kilobyte, by value; nothing allocates.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "numaheap/base/api.h"
#include "numaheap/base/result.hpp"

namespace numaheap::numa {

class CpuSet {
 public:
  /// The most CPUs that the kernel can be built for on x86-64 (CONFIG_NR_CPUS).
  static constexpr unsigned kCapacity = 8192;
  static constexpr unsigned kNone = ~0u;

  /// \pre cpu < kCapacity.
  constexpr void insert(unsigned cpu) { words_[cpu / 64] |= uint64_t{1} << (cpu % 64); }
  constexpr void erase(unsigned cpu) { words_[cpu / 64] &= ~(uint64_t{1} << (cpu % 64)); }
  [[nodiscard]] constexpr bool contains(unsigned cpu) const {
    return cpu < kCapacity && (words_[cpu / 64] >> (cpu % 64) & 1) != 0;
  }
  [[nodiscard]] constexpr unsigned size() const {
    unsigned n = 0;
    for (uint64_t word : words_) n += static_cast<unsigned>(__builtin_popcountll(word));
    return n;
  }
  [[nodiscard]] constexpr bool empty() const {
    for (uint64_t word : words_) {
      if (word != 0) return false;
    }
    return true;
  }
  /// The lowest member at or above `from`, or kNone.
  [[nodiscard]] constexpr unsigned next(unsigned from) const {
    for (unsigned cpu = from; cpu < kCapacity; ++cpu) {
      const uint64_t rest = words_[cpu / 64] >> (cpu % 64);
      if (rest != 0) return cpu + static_cast<unsigned>(__builtin_ctzll(rest));
      cpu |= 63;
    }
    return kNone;
  }
  [[nodiscard]] constexpr bool is_subset_of(const CpuSet& other) const {
    for (size_t i = 0; i < words_.size(); ++i) {
      if ((words_[i] & ~other.words_[i]) != 0) return false;
    }
    return true;
  }

  constexpr CpuSet& operator|=(const CpuSet& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
    return *this;
  }
  constexpr CpuSet& operator&=(const CpuSet& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
    return *this;
  }
  constexpr CpuSet& operator^=(const CpuSet& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] ^= other.words_[i];
    return *this;
  }
  /// Takes the members of `other` out.
  constexpr CpuSet& operator-=(const CpuSet& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] &= ~other.words_[i];
    return *this;
  }
  friend constexpr CpuSet operator|(CpuSet a, const CpuSet& b) { return a |= b; }
  friend constexpr CpuSet operator&(CpuSet a, const CpuSet& b) { return a &= b; }
  friend constexpr CpuSet operator-(CpuSet a, const CpuSet& b) { return a -= b; }
  constexpr bool operator==(const CpuSet&) const = default;

  [[nodiscard]] constexpr const uint64_t* words() const { return words_.data(); }

 private:
  std::array<uint64_t, kCapacity / 64> words_{};
};

/// Reads a list as the kernel prints it, "0-3,8" (also "0-6:2", a newline at the end, and "" for none).
/// \returns kInvalidArgument for anything else and for CPUs of kCapacity or more.
NH_API Result<CpuSet> parse_cpu_list(std::string_view text) noexcept;

/// Runs the calling thread on these CPUs only; of them the kernel takes those that are online and in its cpuset.
/// \returns kInvalidArgument if none is left, kNotPermitted if the call itself is refused. One system call.
NH_API Status set_thread_affinity(const CpuSet& cpus) noexcept;

}  // namespace numaheap::numa

/// \file
/// Bytes: an amount of memory as a type, so that a count of pages or blocks is not taken for one.

#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace numaheap {

/// An amount of memory, never negative.
struct Bytes {
  size_t value = 0;

  constexpr auto operator<=>(const Bytes&) const = default;
  constexpr Bytes& operator+=(Bytes other) { return value += other.value, *this; }
  constexpr Bytes& operator-=(Bytes other) { return value -= other.value, *this; }
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return Bytes{a.value + b.value}; }
  friend constexpr Bytes operator-(Bytes a, Bytes b) { return Bytes{a.value - b.value}; }
  friend constexpr Bytes operator*(Bytes a, size_t n) { return Bytes{a.value * n}; }
};

constexpr Bytes KiB(size_t n) { return Bytes{n << 10}; }
constexpr Bytes MiB(size_t n) { return Bytes{n << 20}; }
constexpr Bytes GiB(size_t n) { return Bytes{n << 30}; }
constexpr Bytes TiB(size_t n) { return Bytes{n << 40}; }

}  // namespace numaheap

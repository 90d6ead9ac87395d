/// \file
/// TextWriter: writes text into the caller's buffer as snprintf does (always terminated, never
/// beyond, the length that would have been needed is counted), without a locale, without
/// allocating.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace numaheap::stats {

class TextWriter {
 public:
  /// \pre `buffer` has `size` bytes; may be nullptr if size is 0.
  TextWriter(char* buffer, size_t size) noexcept : buffer_(buffer), size_(size) {
    if (size_ != 0) buffer_[0] = 0;
  }

  TextWriter& text(std::string_view text) noexcept;
  TextWriter& number(int64_t value) noexcept;
  /// numerator / denominator, rounded to nearest: "1.05".
  /// \pre denominator > 0, 0 < decimals <= 9.
  TextWriter& quotient(int64_t numerator, int64_t denominator, int decimals = 2) noexcept;
  /// value / scale, exactly and without zeros at the end: "1.5", "3".
  /// \pre scale is a power of ten, at most 10^9.
  TextWriter& decimal(int64_t value, int64_t scale) noexcept;
  /// Bytes as Redis prints them in *_human: "512B", "1.23M".
  TextWriter& human(int64_t bytes) noexcept;
  /// The character `count` times.
  TextWriter& repeat(char character, size_t count) noexcept;

  /// The length of everything written so far, without the terminator, whether it fitted or not.
  [[nodiscard]] size_t length() const noexcept { return length_; }

 private:
  char* buffer_;
  size_t size_;
  size_t length_ = 0;
};

}  // namespace numaheap::stats

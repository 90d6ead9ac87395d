#include "text_writer.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace numaheap::stats {

TextWriter& TextWriter::text(std::string_view text) noexcept {
  if (length_ + 1 < size_) {
    const size_t fits = std::min(text.size(), size_ - 1 - length_);
    std::memcpy(buffer_ + length_, text.data(), fits);
    buffer_[length_ + fits] = 0;
  }
  length_ += text.size();
  return *this;
}

TextWriter& TextWriter::number(int64_t value) noexcept {
  char digits[20];  // "-9223372036854775808"
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  return text({digits, static_cast<size_t>(end - digits)});
}

TextWriter& TextWriter::quotient(int64_t numerator, int64_t denominator) noexcept {
  const bool negative = numerator < 0;
  const auto magnitude =
      negative ? -static_cast<__int128>(numerator) : static_cast<__int128>(numerator);
  const __int128 hundredths = (magnitude * 100 + denominator / 2) / denominator;
  if (negative && hundredths != 0) text("-");
  const int64_t decimals = static_cast<int64_t>(hundredths % 100);
  number(static_cast<int64_t>(hundredths / 100));
  return text(decimals < 10 ? ".0" : ".").number(decimals);
}

TextWriter& TextWriter::human(int64_t bytes) noexcept {
  constexpr std::string_view kUnits = "KMGTP";
  if (bytes < 1024) return number(bytes).text("B");
  int64_t unit = 1024;
  size_t i = 0;
  while (i + 1 < kUnits.size() && bytes / 1024 >= unit) {
    unit *= 1024;
    ++i;
  }
  return quotient(bytes, unit).text(kUnits.substr(i, 1));
}

}  // namespace numaheap::stats

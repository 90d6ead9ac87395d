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

TextWriter& TextWriter::quotient(int64_t numerator, int64_t denominator, int decimals) noexcept {
  int64_t scale = 1;
  for (int i = 0; i < decimals; ++i) scale *= 10;
  const bool negative = numerator < 0;
  const auto magnitude =
      negative ? -static_cast<__int128>(numerator) : static_cast<__int128>(numerator);
  const __int128 scaled = (magnitude * scale + denominator / 2) / denominator;
  if (negative && scaled != 0) text("-");
  number(static_cast<int64_t>(scaled / scale)).text(".");
  const auto fraction = static_cast<int64_t>(scaled % scale);
  for (int64_t place = scale / 10; place > 1 && fraction < place; place /= 10) text("0");
  return number(fraction);
}

TextWriter& TextWriter::decimal(int64_t value, int64_t scale) noexcept {
  int64_t fraction = value % scale;
  if (value < 0) {
    fraction = -fraction;
    if (value / scale == 0) text("-");
  }
  number(value / scale);
  if (fraction == 0) return *this;
  text(".");
  for (int64_t place = scale / 10; fraction != 0; place /= 10) {
    number(fraction / place);
    fraction %= place;
  }
  return *this;
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

TextWriter& TextWriter::repeat(char character, size_t count) noexcept {
  for (; count > 0; --count) text({&character, 1});
  return *this;
}

}  // namespace numaheap::stats

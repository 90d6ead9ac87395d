#include "quantity.hpp"

#include <charconv>
#include <cmath>

namespace numaheap::stats {

namespace {

struct KnownUnit {
  std::string_view text;
  Quantity::Kind kind;
  double factor;
};

using Kind = Quantity::Kind;
constexpr KnownUnit kUnits[] = {
    {"", Kind::kPlain, 1},          {"%", Kind::kShare, 0.01},
    {"B", Kind::kBytes, 1},         {"K", Kind::kBytes, 0x1p10},
    {"KiB", Kind::kBytes, 0x1p10},  {"M", Kind::kBytes, 0x1p20},
    {"MiB", Kind::kBytes, 0x1p20},  {"G", Kind::kBytes, 0x1p30},
    {"GiB", Kind::kBytes, 0x1p30},  {"T", Kind::kBytes, 0x1p40},
    {"TiB", Kind::kBytes, 0x1p40},  {"ns", Kind::kSeconds, 1e-9},
    {"us", Kind::kSeconds, 1e-6},   {"ms", Kind::kSeconds, 1e-3},
    {"s", Kind::kSeconds, 1},       {"m", Kind::kSeconds, 60},
    {"h", Kind::kSeconds, 60 * 60}, {"d", Kind::kSeconds, 24 * 60 * 60},
};

/// Four digits, and no more than the number has.
void write_digits(TextWriter& out, double value) noexcept {
  char digits[32];
  const double size = std::fabs(value);
  // In the general format, 12345 would be 1.234e+04.
  const auto [end, error] =
      size >= 1000 && size < 1e15
          ? std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, 0)
          : std::to_chars(digits, digits + sizeof digits, value, std::chars_format::general, 4);
  out.text(error == std::errc{} ? std::string_view(digits, static_cast<size_t>(end - digits))
                                : "?");
}

void write_bytes(TextWriter& out, double bytes) noexcept {
  constexpr const char* kNames[] = {" B", " KiB", " MiB", " GiB", " TiB"};
  size_t i = 0;
  for (; i + 1 < std::size(kNames) && std::fabs(bytes) >= 1024; ++i) bytes /= 1024;
  write_digits(out, bytes);
  out.text(kNames[i]);
}

void write_seconds(TextWriter& out, double seconds) noexcept {
  constexpr const char* kNames[] = {" s", " ms", " us", " ns"};
  size_t i = 0;
  for (; i + 1 < std::size(kNames) && seconds != 0 && std::fabs(seconds) < 1; ++i) seconds *= 1000;
  write_digits(out, seconds);
  out.text(kNames[i]);
}

}  // namespace

std::optional<Quantity> parse_quantity(std::string_view text) noexcept {
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  double number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number, std::chars_format::fixed);
  if (error != std::errc{}) return std::nullopt;
  std::string_view unit(end, static_cast<size_t>(last - end));
  if (unit.size() > 1 && unit.front() == ' ') unit.remove_prefix(1);
  for (const KnownUnit& known : kUnits) {
    if (unit == known.text && std::isfinite(number * known.factor))
      return Quantity{number * known.factor, known.kind};
  }
  return std::nullopt;
}

bool fits(Quantity::Kind kind, Unit unit) noexcept {
  if (kind == Kind::kPlain) return true;
  switch (unit) {
    case Unit::kBytes:
    case Unit::kBytesPerSecond:
      return kind == Kind::kBytes;
    case Unit::kNanoseconds:
      return kind == Kind::kSeconds;
    case Unit::kMillionths:
      return kind == Kind::kShare;
    case Unit::kCount:
    case Unit::kUnixSeconds:
      return false;
  }
  return false;
}

const char* accepted_for(Unit unit) noexcept {
  switch (unit) {
    case Unit::kBytes:
      return "a size such as 64MiB, or a number of bytes";
    case Unit::kBytesPerSecond:
      return "bytes a second, as a number or a size such as 2GiB";
    case Unit::kNanoseconds:
      return "a time such as 10ms, or a number of seconds";
    case Unit::kMillionths:
      return "a ratio such as 1.5 or 5%";
    case Unit::kUnixSeconds:
      return "a number of seconds since 1970";
    case Unit::kCount:
      return "a number from 0 on";
  }
  return "a number";
}

double in_base_unit(int64_t value, Unit unit) noexcept {
  if (unit == Unit::kMillionths) return static_cast<double>(value) / 1e6;
  if (unit == Unit::kNanoseconds) return static_cast<double>(value) / 1e9;
  return static_cast<double>(value);
}

void write_quantity(TextWriter& out, double value, Unit unit) noexcept {
  switch (unit) {
    case Unit::kBytes:
      return write_bytes(out, value);
    case Unit::kBytesPerSecond:
      write_bytes(out, value);
      out.text("/s");
      return;
    case Unit::kNanoseconds:
      return write_seconds(out, value);
    case Unit::kMillionths:
    case Unit::kCount:
    case Unit::kUnixSeconds:
      return write_digits(out, value);
  }
}

void write_number(TextWriter& out, double value) noexcept {
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  const bool is_number = std::isfinite(value) && error == std::errc{};
  out.text(is_number ? std::string_view(digits, static_cast<size_t>(end - digits)) : "null");
}

void write_duration(TextWriter& out, std::chrono::nanoseconds duration) noexcept {
  const int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  constexpr struct {
    int64_t seconds;
    const char* name;
  } kSteps[] = {{86400, " d"}, {3600, " h"}, {60, " min"}, {1, " s"}};
  for (size_t i = 0; i < std::size(kSteps); ++i) {
    if (seconds < kSteps[i].seconds && i + 1 < std::size(kSteps)) continue;
    out.number(seconds / kSteps[i].seconds).text(kSteps[i].name);
    const int64_t rest = seconds % kSteps[i].seconds;
    if (i + 1 < std::size(kSteps) && rest / kSteps[i + 1].seconds != 0) {
      out.text(" ").number(rest / kSteps[i + 1].seconds).text(kSteps[i + 1].name);
    }
    return;
  }
}

}  // namespace numaheap::stats

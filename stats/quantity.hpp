/// \file
/// Quantity: an amount as people write it ("64MiB", "90%", "1.5", "5m"), and as they read it.
///
/// Values are doubles in base units, as in OpenMetrics: bytes, seconds, ratios (1 is one), counts. Exact for whole
/// numbers up to 2^53.

#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "numaheap/stats/metric.hpp"
#include "text_writer.hpp"

namespace numaheap::stats {

struct Quantity {
  enum class Kind : uint8_t {
    kPlain,    ///< No unit.
    kBytes,    ///< B, KiB, MiB, GiB, TiB; K, M, G and T are the same.
    kSeconds,  ///< ns, us, ms, s, m, h, d.
    kShare,    ///< %
  };
  double value = 0;
  Kind kind = Kind::kPlain;
};

/// \returns nothing if it is not a number from 0 on, with or without a unit.
[[nodiscard]] std::optional<Quantity> parse_quantity(std::string_view text) noexcept;

/// Whether an amount of this kind may be compared with a figure in `unit`.
[[nodiscard]] bool fits(Quantity::Kind kind, Unit unit) noexcept;
/// What fits(), for messages: `a size such as "64MiB"`.
[[nodiscard]] const char* accepted_for(Unit unit) noexcept;

/// A metric's value in its base unit.
[[nodiscard]] double in_base_unit(int64_t value, Unit unit) noexcept;

/// For people: "12.4 MiB", "1.63", "250 ms", to four digits.
void write_quantity(TextWriter& out, double value, Unit unit) noexcept;
/// For programs: the shortest decimal number that is this value; "null" if it is none.
void write_number(TextWriter& out, double value) noexcept;
/// "0 s", "45 s", "3 min 20 s", "2 h 5 min", "4 d 1 h".
void write_duration(TextWriter& out, std::chrono::nanoseconds duration) noexcept;

}  // namespace numaheap::stats

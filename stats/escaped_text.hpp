/// \file
/// Text of unknown content (a label's value, a help text) written so that the format around it stays whole: quoted
/// where the format asks for it, bytes that are no UTF-8 replaced by U+FFFD.

#pragma once

#include <cstdint>
#include <string_view>

#include "text_writer.hpp"

namespace numaheap::stats {

enum class Escaping : uint8_t {
  kJson,         ///< Between the quotes of a JSON string.
  kOpenMetrics,  ///< Between the quotes of a label's value, and in HELP.
  kHelp,         ///< HELP of Prometheus' older text format, where quotes stand for themselves.
  kLine,         ///< For people and for INFO: control characters become '?'.
};

void write_escaped(TextWriter& out, std::string_view text, Escaping escaping) noexcept;

}  // namespace numaheap::stats

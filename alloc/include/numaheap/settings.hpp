/// \file
/// The heap's settings: each is an environment variable NUMAHEAP_<NAME>, read once at the first allocation.
///
/// A value that is not accepted is reported (ReportKind::kSetting, naming it and what is accepted) and the default
/// holds. Threads: any. Nothing here allocates.

#pragma once

#include <span>
#include <string_view>

#include "numaheap/base/api.h"
#include "numaheap/base/result.hpp"

namespace numaheap {

struct SettingInfo {
  const char* name;  ///< Without the prefix NUMAHEAP_.
  const char* unit;  ///< "bytes", "ms", "word", ...
  const char* default_text;
  const char* range_text;  ///< What is accepted, for people and for error messages.
  const char* help;        ///< One or two sentences.
};

/// All settings, in the order in which they are explained.
NH_API std::span<const SettingInfo> settings() noexcept;

/// Checks a value without applying it.
/// \returns kNotFound for an unknown name; kInvalidArgument with what is accepted as text.
NH_API Status check_setting(std::string_view name, std::string_view value) noexcept;

}  // namespace numaheap

/// \file
/// The names that mallctl answers: a table of patterns, and the functions behind them.
///
/// A pattern's components are words, or `*` for a number ("arenas.bin.*.size"). Rows stand in strcmp order, so rows
/// that share their first components stand together: the number of a word in a MIB is the first such row, the number
/// for `*` is the number itself, as jemalloc promises. Looking a name up is narrowing a span of rows.

#pragma once

#include <cstddef>
#include <span>

namespace numaheap::preload {

/// What "version" says: the jemalloc whose names these are, and who answers.
inline constexpr char kJemallocVersion[] = "5.3.0-numaheap-" NUMAHEAP_VERSION;

/// One question, as mallctl(3) has it, and where the answer goes.
struct Question {
  size_t index[2];  ///< What stood at the pattern's `*`, in order.
  void* old_value;  ///< For the answer; may be null.
  size_t* old_size;
  const void* new_value;  ///< To be set; may be null.
  size_t new_size;
};

struct ControlName {
  const char* pattern;
  /// \returns 0, or an errno as jemalloc does: ENOENT (no such number), EINVAL (size), EPERM (not to be read, or
  ///          not to be written), EFAULT (could not be done).
  int (*answer)(const Question& question) noexcept;
};

/// All names, in strcmp order.
std::span<const ControlName> control_names() noexcept;

}  // namespace numaheap::preload

/// \file
/// Reports: what the heap had to do without, and what it was given that is not its own. Each is told once.
///
/// The library never prints: without a callback the reports are kept (the first kMaxKeptReports) and replayed when one
/// is set. The callback runs on the thread that met the matter, with no lock of the heap held; it may allocate.

#pragma once

#include <cstddef>

#include "numaheap/base/api.h"

namespace numaheap {

enum class ReportKind {
  kPlacement,    ///< A step down the policy ladder, a node left out, a smaller range.
  kSetting,      ///< A setting in the environment that is not accepted; the default holds.
  kMisuse,       ///< A pointer that is not ours, or not the start of a block; it was dropped.
  kLimit,        ///< A limit was crossed or cannot be watched.
  kOutOfMemory,  ///< The kernel refused memory.
};

struct Report {
  ReportKind kind;
  const char* text;     ///< A sentence. Static storage, or valid during the callback only.
  const void* address;  ///< The pointer it is about, or nullptr.
  int system_errno;     ///< errno of the refused call, or 0.
};

inline constexpr unsigned kMaxKeptReports = 32;

using ReportCallback = void (*)(const Report& report, void* context) noexcept;

/// Sets the one callback (nullptr: none) and replays what was kept since the start. Thread-safe.
NH_API void set_report_callback(ReportCallback callback, void* context) noexcept;

}  // namespace numaheap

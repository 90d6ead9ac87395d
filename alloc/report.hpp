/// \file
/// How the heap's own code reports (see numaheap/report.hpp).

#pragma once

#include <cstdint>

#include "numaheap/report.hpp"

namespace numaheap::alloc {

/// Reports unless this text was reported before (texts are compared by address). Inside a SlowPath it is kept and
/// delivered by deliver_reports(). Does not allocate.
/// \param text  static storage.
void report_once(ReportKind kind, const char* text, const void* address = nullptr,
                 int system_errno = 0) noexcept;

/// The same for a text that is not static: it is copied (up to 200 bytes) and compared as such.
void report_copy(ReportKind kind, const char* text, int system_errno = 0) noexcept;

/// Hands what was kept to the callback, if there is one. Outside of a SlowPath.
void deliver_reports() noexcept;

/// In a forked child: a sibling may have been reporting.
void reports_after_fork_in_child() noexcept;

/// A pointer that is not ours or not a block's start: counts it, reports it once per kind of mistake, and stops the
/// process if NUMAHEAP_MISUSE=abort.
void report_misuse(const char* text, const void* address) noexcept;
uint64_t misuse_count() noexcept;

}  // namespace numaheap::alloc

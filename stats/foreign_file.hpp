/// \file
/// open_published(): finds and opens another process' PublishedFile.

#pragma once

#include "numaheap/base/result.hpp"
#include "numaheap/stats/process_view.hpp"

namespace numaheap::stats {

/// For reading, and for writing where the kernel allows it: by /proc/PID/fd, or, where the program has closed the
/// file, by /proc/PID/mem. The caller closes it.
/// \returns kNotFound without errno if the process has no such file, with errno if it has ended; kNotPermitted.
[[nodiscard]] Result<ForeignFile> open_published(int pid, const char* name);

/// CLOCK_MONOTONIC.
[[nodiscard]] std::chrono::nanoseconds monotonic_now();

/// Reads `size` bytes at `offset` into `to`. \returns how many it got; negative with errno.
[[nodiscard]] long read_at(const ForeignFile& from, uint64_t offset, void* to, size_t size);

}  // namespace numaheap::stats

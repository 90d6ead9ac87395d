/// \file
/// print_line: one line on stderr, from anywhere. The heap itself never prints; this object speaks for it.

#pragma once

namespace numaheap::preload {

/// Writes "numaheap: <text>\n" with one write(2), cut at 511 characters. `format` is printf's, with integers and
/// strings only (those do not allocate). Keeps errno; a closed pipe does not raise SIGPIPE.
[[gnu::format(printf, 1, 2)]] void print_line(const char* format, ...) noexcept;

}  // namespace numaheap::preload

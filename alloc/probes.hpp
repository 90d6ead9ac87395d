/// \file
/// The points of the heap that perf(1), bpftrace(8) and gdb can watch in a running process: a nop each until somebody
/// does (SystemTap's USDT notes). They are all in slow paths; docs/using.md lists them with what they tell.

#pragma once

#include <sys/sdt.h>

#include <cstddef>

namespace numaheap::alloc::probe {

/// A thread's bin of a placement got `blocks` blocks of `bytes` each from the node's cache or arena.
inline void refill([[maybe_unused]] unsigned placement, [[maybe_unused]] size_t bytes,
                   [[maybe_unused]] size_t blocks) noexcept {
  DTRACE_PROBE3(numaheap, refill, placement, bytes, blocks);
}
/// It gave so many back.
inline void flush([[maybe_unused]] unsigned placement, [[maybe_unused]] size_t bytes,
                  [[maybe_unused]] size_t blocks) noexcept {
  DTRACE_PROBE3(numaheap, flush, placement, bytes, blocks);
}
/// Blocks of another placement than the thread's home went home: `bytes` in all.
inline void remote_free([[maybe_unused]] unsigned placement,
                        [[maybe_unused]] size_t bytes) noexcept {
  DTRACE_PROBE2(numaheap, remote_free, placement, bytes);
}
/// A request was served by `to`, as `from` is full or at its limit.
inline void spill([[maybe_unused]] unsigned from, [[maybe_unused]] unsigned to,
                  [[maybe_unused]] size_t bytes) noexcept {
  DTRACE_PROBE3(numaheap, spill, from, to, bytes);
}
/// A placement's range was used `bytes` further than ever before.
inline void grow([[maybe_unused]] unsigned placement, [[maybe_unused]] size_t bytes) noexcept {
  DTRACE_PROBE2(numaheap, grow, placement, bytes);
}
/// Free pages were given back to the kernel.
inline void purge([[maybe_unused]] unsigned placement, [[maybe_unused]] size_t bytes) noexcept {
  DTRACE_PROBE2(numaheap, purge, placement, bytes);
}
/// The host's reclaim hook was called for a request of `bytes`, and said whether to try `again`.
inline void reclaim([[maybe_unused]] size_t bytes, [[maybe_unused]] int again) noexcept {
  DTRACE_PROBE2(numaheap, reclaim, bytes, again);
}

}  // namespace numaheap::alloc::probe

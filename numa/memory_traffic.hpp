/// \file
/// What is done to memory to measure it: chasing pointers, and reading and writing it in streams.
///
/// Work is done piece by piece, so that it can be stopped, and one piece in any case. A stream's bytes are what goes
/// over the memory bus: a line that is modified is read and written back.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace numaheap::numa {

inline constexpr size_t kLineBytes = 64;

/// Makes one cycle through all lines of the memory, in an order that no prefetcher follows. \returns its first line.
void* make_chain(char* memory, size_t bytes) noexcept;
/// Follows a chain until `stop`; each step waits for the last one. \returns the steps.
uint64_t chase(void* start, const std::atomic<bool>& stop) noexcept;

enum class Mix : uint8_t {
  kReads,       ///< Reads alone.
  kThreeToOne,  ///< Every third line is modified: three reads, one write.
  kTwoToOne,    ///< Every second line.
  kOneToOne,    ///< Every line.
  kTriad,       ///< a[i] = b[i] + s * c[i], with a written past the caches: two reads, one write.
};
inline constexpr size_t kMixes = 5;

/// Streams over the memory again and again until `stop`. \returns the bytes that were read and written.
/// \param delay  turns of an empty loop (about a cycle each) after every two lines; for Mix::kReads.
uint64_t stream(Mix mix, char* memory, size_t bytes, unsigned delay,
                const std::atomic<bool>& stop) noexcept;

/// Writes all of the memory past the caches, then reads it once: 2 * bytes over the bus, none of it cached.
void write_and_read(char* memory, size_t bytes) noexcept;

}  // namespace numaheap::numa

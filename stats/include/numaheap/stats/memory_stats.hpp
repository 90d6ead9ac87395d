/// \file
/// MEMORY STATS: a snapshot as the reply of Redis' command, its keys in its order.
///
///     MemoryStat stats[kMaxMemoryStats];
///     const size_t count = fill_memory_stats(snapshot, stats);
///     reply_map(memory_stats_map_length({stats, count}));   // a map in RESP3, twice as many elements in RESP2
///
/// Keys that only the server knows are there once it gives them (host_figures.hpp); what is not known has no key.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "numaheap/base/api.h"
#include "numaheap/stats/registry.hpp"

namespace numaheap::stats {

/// One key and its value.
struct MemoryStat {
  const char* key = nullptr;
  /// Not -1: the key stands in the map "db.<database>" inside the reply; those of one map stand together.
  int64_t database = -1;
  bool is_whole =
      true;  ///< `number` is the value, an integer reply; otherwise `real` is, a double.
  int64_t number = 0;
  double real = 0;
};

/// Room for all keys with 64 databases.
inline constexpr size_t kMaxMemoryStats = 40 + 2 * 64;

/// \returns how many there are; at most stats.size() of them are written. Thread-safe; allocates nothing.
NH_API size_t fill_memory_stats(const Snapshot& snapshot, std::span<MemoryStat> stats) noexcept;

/// How many keys the outer map has: each "db.<N>" is one.
NH_API size_t memory_stats_map_length(std::span<const MemoryStat> stats) noexcept;

/// As text, "key:value" and "db.<N>.key:value" a line. As snprintf: \returns the length without the terminator, which
/// may be more than `size`. Thread-safe; allocates nothing.
NH_API size_t render_memory_stats(const Snapshot& snapshot, char* buffer, size_t size) noexcept;

}  // namespace numaheap::stats

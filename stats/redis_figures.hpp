/// \file
/// RedisFigures: what Redis shows of its memory (INFO memory, MEMORY STATS, redis_exporter), computed once for all three
/// from a snapshot; and the names under which it is shown.
///
/// A figure whose metrics have no sample is not there, as is a ratio to zero; nothing is made up.
/// Source: the formulas of Redis 7.4 (getMemoryOverheadData and genRedisInfoString); of 7.0, the order of fields.

#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "numaheap/stats/registry.hpp"

namespace numaheap::stats {

enum class RedisFigure : uint8_t {
  kUsed,
  kRss,
  kPeak,
  kPeakAt,
  kPeakPercentage,
  kOverhead,
  kStartup,
  kDataset,
  kDatasetPercentage,
  kAllocated,
  kActive,
  kResident,
  kMuzzy,
  kSystemMemory,
  kScriptVm,
  kScriptCaches,
  kCachedScripts,
  kFunctions,
  kLibraries,
  kFunctionVm,
  kVmTotal,
  kFunctionCaches,
  kScriptsTotal,
  kMaxMemory,
  kAllocatorFragRatio,
  kAllocatorFragBytes,
  kAllocatorRssRatio,
  kAllocatorRssBytes,
  kRssOverheadRatio,
  kRssOverheadBytes,
  kFragmentationRatio,
  kFragmentationBytes,
  kNotCountedForEvict,
  kReplicationBacklog,
  kReplicationBuffers,
  kReplicaFullSyncBuffer,
  kClientsReplicas,
  kClientsNormal,
  kClusterLinks,
  kAofBuffer,
  kTableLookup,
  kTableRehashing,
  kRehashingTables,
  kKeys,
  kBytesPerKey,
  kDefragRunning,
  kLazyfreePending,
  kLazyfreed,
  kHits,
  kMisses,
  kKeyHits,
  kKeyMisses,
};
inline constexpr size_t kRedisFigures = 52;

/// A whole number has the denominator 1; never 0.
struct Quotient {
  int64_t numerator;
  int64_t denominator;
};

class RedisFigures {
 public:
  /// One pass over the snapshot.
  explicit RedisFigures(const Snapshot& snapshot) noexcept;

  [[nodiscard]] const std::optional<Quotient>& operator[](RedisFigure figure) const noexcept {
    return figures_[static_cast<size_t>(figure)];
  }

 private:
  std::optional<Quotient> figures_[kRedisFigures];
};

/// How a figure is written in INFO.
enum class RedisStyle : uint8_t {
  kNumber,
  kBytes,          ///< A number of bytes.
  kBytesAndHuman,  ///< Once more as `<field>_human`.
  kRatio,          ///< Two decimals.
  kPercentage,     ///< Two decimals and a percent sign.
  kNotInInfo,
};

/// What a figure is called. A null name: it is not shown there.
struct RedisName {
  RedisFigure figure;
  const char* field;     ///< Of INFO memory.
  const char* exported;  ///< By redis_exporter, without its prefix "redis_".
  const char* key;       ///< Of MEMORY STATS.
  RedisStyle style;
  const char* meaning;
};
/// In the order of INFO memory.
std::span<const RedisName> redis_names() noexcept;

/// Whether the metric's sum, over all its labels, is one of the figures or part of one.
bool is_redis_figure(const Metric& metric) noexcept;

}  // namespace numaheap::stats

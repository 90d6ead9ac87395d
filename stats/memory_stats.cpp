#include "numaheap/stats/memory_stats.hpp"

#include <algorithm>
#include <string_view>

#include "numaheap/stats/host_figures.hpp"
#include "redis_figures.hpp"
#include "text_writer.hpp"

namespace numaheap::stats {

namespace {

using std::string_view;

using F = RedisFigure;

/// In Redis' order; the databases stand before kAfterDatabases.
constexpr RedisFigure kOrder[] = {
    F::kPeak,
    F::kUsed,
    F::kStartup,
    F::kReplicationBacklog,
    F::kReplicaFullSyncBuffer,
    F::kClientsReplicas,
    F::kClientsNormal,
    F::kClusterLinks,
    F::kAofBuffer,
    F::kScriptCaches,
    F::kFunctionCaches,
    F::kVmTotal,
    F::kTableLookup,
    F::kTableRehashing,
    F::kOverhead,
    F::kRehashingTables,
    F::kKeys,
    F::kBytesPerKey,
    F::kDataset,
    F::kDatasetPercentage,
    F::kPeakPercentage,
    F::kAllocated,
    F::kActive,
    F::kResident,
    F::kMuzzy,
    F::kAllocatorFragRatio,
    F::kAllocatorFragBytes,
    F::kAllocatorRssRatio,
    F::kAllocatorRssBytes,
    F::kRssOverheadRatio,
    F::kRssOverheadBytes,
    F::kFragmentationRatio,
    F::kFragmentationBytes,
};
constexpr RedisFigure kAfterDatabases = F::kTableLookup;

const RedisName& name_of(RedisFigure figure) {
  for (const RedisName& name : redis_names()) {
    if (name.figure == figure && name.key != nullptr) return name;
  }
  __builtin_unreachable();  // a test asks for every key
}

/// Calls put(stat) for every key with its exact value.
template <class Put>
void for_each_stat(const Snapshot& snapshot, Put put) {
  const RedisFigures figures(snapshot);
  for (const RedisFigure figure : kOrder) {
    if (figure == kAfterDatabases) {
      for (const Sample& sample : snapshot.samples) {
        if (string_view(sample.metric->name) != kHostDatabaseBytes) continue;
        const Label& database = sample.labels[0];
        if (database.kind() != Label::Kind::kNumber || database.number() > INT64_MAX) continue;
        const bool main = sample.labels[1] == Label("main");
        put(MemoryStat{.key = main ? "overhead.hashtable.main" : "overhead.hashtable.expires",
                       .database = static_cast<int64_t>(database.number()),
                       .number = sample.value},
            Quotient{sample.value, 1});
      }
    }
    const auto& value = figures[figure];
    if (!value) continue;
    const RedisName& name = name_of(figure);
    const bool real = name.style == RedisStyle::kRatio || name.style == RedisStyle::kPercentage;
    put(MemoryStat{.key = name.key,
                   .is_whole = !real,
                   .number = real ? 0 : value->numerator,
                   .real = real ? static_cast<double>(value->numerator) /
                                      static_cast<double>(value->denominator)
                                : 0},
        *value);
  }
}

}  // namespace

size_t fill_memory_stats(const Snapshot& snapshot, std::span<MemoryStat> stats) noexcept {
  size_t count = 0;
  for_each_stat(snapshot, [&](const MemoryStat& stat, Quotient) {
    if (count < stats.size()) stats[count] = stat;
    ++count;
  });
  return count;
}

size_t memory_stats_map_length(std::span<const MemoryStat> stats) noexcept {
  size_t keys = 0;
  int64_t database = -1;
  for (const MemoryStat& stat : stats) {
    if (stat.database == -1 || stat.database != database) ++keys;
    database = stat.database;
  }
  return keys;
}

size_t render_memory_stats(const Snapshot& snapshot, char* buffer, size_t size) noexcept {
  TextWriter out(buffer, size);
  for_each_stat(snapshot, [&](const MemoryStat& stat, Quotient value) {
    if (stat.database != -1) out.text("db.").number(stat.database).text(".");
    out.text(stat.key).text(":");
    if (stat.is_whole) {
      out.number(stat.number);
    } else {
      out.quotient(value.numerator, value.denominator, 6);
    }
    out.text("\n");
  });
  return out.length();
}

}  // namespace numaheap::stats

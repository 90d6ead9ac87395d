#include "redis_figures.hpp"

#include <algorithm>
#include <string_view>

#include "numaheap/stats/host_figures.hpp"
#include "numaheap/stats/info.hpp"

namespace numaheap::stats {

namespace {

using std::string_view;
using Number = std::optional<int64_t>;

/// A figure that is the sum of a metric's samples.
struct Sum {
  RedisFigure figure;
  const char* metric;
};

constexpr Sum kSums[] = {
    {RedisFigure::kUsed, kLiveBytes},
    {RedisFigure::kRss, kProcessResidentBytes},
    {RedisFigure::kPeak, kPeakBytes},
    {RedisFigure::kPeakAt, kPeakTime},
    {RedisFigure::kAllocated, kAllocatedBytes},
    {RedisFigure::kActive, kActiveBytes},
    {RedisFigure::kResident, kResidentBytes},
    {RedisFigure::kMuzzy, kMuzzyBytes},
    {RedisFigure::kAllocatorFragBytes, kFragmentedBytes},
    {RedisFigure::kSystemMemory, kSystemMemoryBytes},
    {RedisFigure::kMaxMemory, kHardLimitBytes},
    {RedisFigure::kDefragRunning, kDefragCpuRatio},
    {RedisFigure::kLazyfreePending, kLazyfreePendingObjects},
    {RedisFigure::kLazyfreed, kLazyfreedObjects},
    {RedisFigure::kHits, kDefragHits},
    {RedisFigure::kMisses, kDefragMisses},
    {RedisFigure::kKeyHits, kDefragKeyHits},
    {RedisFigure::kKeyMisses, kDefragKeyMisses},
};

struct HostSum {
  HostFigure host;
  RedisFigure figure;
  bool is_overhead;
};

constexpr HostSum kHostSums[] = {
    {HostFigure::kStartup, RedisFigure::kStartup, true},
    {HostFigure::kReplicationBacklog, RedisFigure::kReplicationBacklog, true},
    {HostFigure::kReplicaFullSyncBuffer, RedisFigure::kReplicaFullSyncBuffer, true},
    {HostFigure::kClientsReplicas, RedisFigure::kClientsReplicas, true},
    {HostFigure::kClientsNormal, RedisFigure::kClientsNormal, true},
    {HostFigure::kClusterLinks, RedisFigure::kClusterLinks, true},
    {HostFigure::kAofBuffer, RedisFigure::kAofBuffer, true},
    {HostFigure::kScriptCaches, RedisFigure::kScriptCaches, true},
    {HostFigure::kFunctionCaches, RedisFigure::kFunctionCaches, true},
    {HostFigure::kScriptVm, RedisFigure::kScriptVm, true},
    {HostFigure::kFunctionVm, RedisFigure::kFunctionVm, true},
    {HostFigure::kReplicationBuffers, RedisFigure::kReplicationBuffers, false},
    {HostFigure::kTableLookup, RedisFigure::kTableLookup, false},
    {HostFigure::kTableRehashing, RedisFigure::kTableRehashing, false},
    {HostFigure::kNotCountedForEvict, RedisFigure::kNotCountedForEvict, false},
    {HostFigure::kMaxMemory, RedisFigure::kMaxMemory, false},
    {HostFigure::kRehashingTables, RedisFigure::kRehashingTables, false},
    {HostFigure::kKeys, RedisFigure::kKeys, false},
    {HostFigure::kCachedScripts, RedisFigure::kCachedScripts, false},
    {HostFigure::kFunctions, RedisFigure::kFunctions, false},
    {HostFigure::kLibraries, RedisFigure::kLibraries, false},
};

using F = RedisFigure;
using S = RedisStyle;

// clang-format off
constexpr RedisName kNames[] = {
    {F::kUsed, "used_memory", "memory_used_bytes", "total.allocated", S::kBytesAndHuman,
     "live bytes: handed out and not freed, by usable size"},
    {F::kRss, "used_memory_rss", "memory_used_rss_bytes", nullptr, S::kBytesAndHuman,
     "resident set of the process, as the kernel says"},
    {F::kPeak, "used_memory_peak", "memory_used_peak_bytes", "peak.allocated", S::kBytesAndHuman,
     "the most that used_memory was seen to be"},
    {F::kPeakAt, "used_memory_peak_time", nullptr, nullptr, S::kNumber, "when that was, Unix time"},
    {F::kPeakPercentage, "used_memory_peak_perc", nullptr, "peak.percentage", S::kPercentage,
     "used_memory / used_memory_peak"},
    {F::kOverhead, "used_memory_overhead", "memory_used_overhead_bytes", "overhead.total", S::kBytes,
     "what the server gave as overhead, once it gave the startup figure"},
    {F::kStartup, "used_memory_startup", "memory_used_startup_bytes", "startup.allocated", S::kBytes,
     "used_memory when the server had started"},
    {F::kDataset, "used_memory_dataset", "memory_used_dataset_bytes", "dataset.bytes", S::kBytes,
     "used_memory - used_memory_overhead, at least 0"},
    {F::kDatasetPercentage, "used_memory_dataset_perc", nullptr, "dataset.percentage", S::kPercentage,
     "used_memory_dataset / (used_memory - used_memory_startup)"},
    {F::kAllocated, "allocator_allocated", "allocator_allocated_bytes", "allocator.allocated", S::kBytes,
     "blocks that left the arenas: live, and in caches"},
    {F::kActive, "allocator_active", "allocator_active_bytes", "allocator.active", S::kBytes,
     "pages of slabs and large blocks in use"},
    {F::kResident, "allocator_resident", "allocator_resident_bytes", "allocator.resident", S::kBytes,
     "active pages, free ones that are still resident, and the heap's own structures"},
    {F::kMuzzy, "allocator_muzzy", "allocator_muzzy_bytes", "allocator.muzzy", S::kBytes,
     "pages that the kernel may take back when it is short of memory"},
    {F::kSystemMemory, "total_system_memory", "total_system_memory_bytes", nullptr, S::kBytesAndHuman,
     "memory of the machine"},
    {F::kScriptVm, "used_memory_lua", "memory_used_lua_bytes", nullptr, S::kBytesAndHuman,
     "the older name of used_memory_vm_eval"},
    {F::kScriptVm, "used_memory_vm_eval", "memory_used_vm_eval_bytes", nullptr, S::kBytes,
     "interpreter of scripts"},
    {F::kScriptCaches, "used_memory_scripts_eval", "memory_used_scripts_eval_bytes", "lua.caches", S::kBytes,
     "cached scripts, without their interpreter"},
    {F::kCachedScripts, "number_of_cached_scripts", "number_of_cached_scripts", nullptr, S::kNumber,
     "cached scripts"},
    {F::kFunctions, "number_of_functions", "number_of_functions", nullptr, S::kNumber, "functions"},
    {F::kLibraries, "number_of_libraries", "number_of_libraries", nullptr, S::kNumber,
     "libraries of functions"},
    {F::kFunctionVm, "used_memory_vm_functions", "memory_used_vm_functions_bytes", nullptr, S::kBytes,
     "interpreter of functions"},
    {F::kVmTotal, "used_memory_vm_total", "memory_used_vm_total", "script.VMs", S::kBytesAndHuman,
     "used_memory_vm_eval + used_memory_vm_functions"},
    {F::kFunctionCaches, "used_memory_functions", "memory_used_functions_bytes", "functions.caches", S::kBytes,
     "functions, without their interpreter"},
    {F::kScriptsTotal, "used_memory_scripts", "memory_used_scripts_bytes", nullptr, S::kBytesAndHuman,
     "used_memory_scripts_eval + used_memory_functions"},
    {F::kMaxMemory, "maxmemory", "memory_max_bytes", nullptr, S::kBytesAndHuman,
     "the server's limit, else the heap's hard limit on live bytes"},
    {F::kAllocatorFragRatio, "allocator_frag_ratio", "allocator_frag_ratio", "allocator-fragmentation.ratio", S::kRatio,
     "1 + free slots in slabs / allocator_allocated"},
    {F::kAllocatorFragBytes, "allocator_frag_bytes", "allocator_frag_bytes", "allocator-fragmentation.bytes", S::kBytes,
     "free slots in slabs that are in use"},
    {F::kAllocatorRssRatio, "allocator_rss_ratio", "allocator_rss_ratio", "allocator-rss.ratio", S::kRatio,
     "allocator_resident / allocator_active"},
    {F::kAllocatorRssBytes, "allocator_rss_bytes", "allocator_rss_bytes", "allocator-rss.bytes", S::kBytes,
     "allocator_resident - allocator_active: what a purge can give back"},
    {F::kRssOverheadRatio, "rss_overhead_ratio", "rss_overhead_ratio", "rss-overhead.ratio", S::kRatio,
     "used_memory_rss / allocator_resident"},
    {F::kRssOverheadBytes, "rss_overhead_bytes", "rss_overhead_bytes", "rss-overhead.bytes", S::kBytes,
     "used_memory_rss - allocator_resident: what is not the heap's; negative where its pages are swapped out"},
    {F::kFragmentationRatio, "mem_fragmentation_ratio", "mem_fragmentation_ratio", "fragmentation", S::kRatio,
     "used_memory_rss / used_memory: all overhead, not fragmentation alone"},
    {F::kFragmentationBytes, "mem_fragmentation_bytes", "mem_fragmentation_bytes", "fragmentation.bytes", S::kBytes,
     "used_memory_rss - used_memory"},
    {F::kNotCountedForEvict, "mem_not_counted_for_evict", "mem_not_counted_for_eviction_bytes", nullptr, S::kBytes,
     "what maxmemory leaves out"},
    {F::kReplicationBacklog, "mem_replication_backlog", "mem_replication_backlog_bytes", "replication.backlog",
     S::kBytes, "replication backlog"},
    {F::kReplicationBuffers, "mem_total_replication_buffers", "mem_total_replication_buffers_bytes", nullptr,
     S::kBytes, "all replication buffers together"},
    {F::kReplicaFullSyncBuffer, "mem_replica_full_sync_buffer", nullptr, "replica.fullsync.buffer", S::kBytes,
     "kept for replicas that synchronise"},
    {F::kClientsReplicas, "mem_clients_slaves", "mem_clients_slaves", "clients.slaves", S::kBytes,
     "buffers of replicas, beyond the backlog"},
    {F::kClientsNormal, "mem_clients_normal", "mem_clients_normal", "clients.normal", S::kBytes,
     "buffers of clients that are no replicas"},
    {F::kClusterLinks, "mem_cluster_links", "mem_cluster_links_bytes", "cluster.links", S::kBytes,
     "links to other nodes of a cluster"},
    {F::kAofBuffer, "mem_aof_buffer", "mem_aof_buffer_bytes", "aof.buffer", S::kBytes,
     "buffer of the append-only file"},
    {F::kTableRehashing, "mem_overhead_db_hashtable_rehashing", "mem_overhead_db_hashtable_rehashing_bytes",
     "overhead.db.hashtable.rehashing", S::kBytes, "tables that are being rehashed"},
    {F::kDefragRunning, "active_defrag_running", "active_defrag_running", nullptr, S::kNumber,
     "share of a CPU that defragmentation aims at now, in percent; 0: it rests"},
    {F::kLazyfreePending, "lazyfree_pending_objects", "lazyfree_pending_objects", nullptr, S::kNumber,
     "objects that were let go and not freed yet"},
    {F::kLazyfreed, "lazyfreed_objects", "lazyfreed_objects", nullptr, S::kNumber,
     "objects that were freed that way"},
    {F::kTableLookup, nullptr, nullptr, "overhead.db.hashtable.lut", S::kNotInInfo, "buckets of the databases' tables"},
    {F::kRehashingTables, nullptr, nullptr, "db.dict.rehashing.count", S::kNotInInfo,
     "how many tables are being rehashed"},
    {F::kKeys, nullptr, nullptr, "keys.count", S::kNotInInfo, "keys in all databases"},
    {F::kBytesPerKey, nullptr, nullptr, "keys.bytes-per-key", S::kNotInInfo,
     "(used_memory - used_memory_startup) / keys"},
    {F::kHits, nullptr, "defrag_hits", nullptr, S::kNotInInfo, "blocks that defragmentation moved"},
    {F::kMisses, nullptr, "defrag_misses", nullptr, S::kNotInInfo, "blocks that it looked at and left"},
    {F::kKeyHits, nullptr, "defrag_key_hits", nullptr, S::kNotInInfo, "objects of which it moved something"},
    {F::kKeyMisses, nullptr, "defrag_key_misses", nullptr, S::kNotInInfo, "objects that it left as they were"},
};
// clang-format on
static_assert(std::size(kNames) == kRedisFigures + 1);  // used_memory_lua is the second name of one

// What does not fit is not there: a snapshot may come from another process, and say anything.

Number add(Number a, Number b) {
  int64_t sum = 0;
  return a && b && !__builtin_add_overflow(*a, *b, &sum) ? Number(sum) : std::nullopt;
}
Number subtract(Number a, Number b) {
  int64_t difference = 0;
  return a && b && !__builtin_sub_overflow(*a, *b, &difference) ? Number(difference) : std::nullopt;
}
Number times_100(Number number) {
  int64_t product = 0;
  return number && !__builtin_mul_overflow(*number, 100, &product) ? Number(product) : std::nullopt;
}

std::optional<Quotient> whole(Number number) {
  return number ? std::optional(Quotient{*number, 1}) : std::nullopt;
}
std::optional<Quotient> divide(Number part, Number whole) {
  if (!part || !whole || *whole <= 0) return std::nullopt;
  return Quotient{*part, *whole};
}

}  // namespace

RedisFigures::RedisFigures(const Snapshot& snapshot) noexcept {
  Number overhead = 0;
  const auto figure = [&](RedisFigure f) -> std::optional<Quotient>& {
    return figures_[static_cast<size_t>(f)];
  };
  const auto number = [&](RedisFigure f) {
    return figure(f) ? Number(figure(f)->numerator) : std::nullopt;
  };
  const auto count = [&](RedisFigure f, int64_t value) {
    const int64_t before = number(f).value_or(0);
    figure(f) = Quotient{add(before, value).value_or(before), 1};
  };
  bool own_limit = false;
  for (const Sample& sample : snapshot.samples) {
    const Metric& metric = *sample.metric;
    if (metric.detail != Detail::kSummary) continue;
    const string_view name = metric.name;
    for (const Sum& sum : kSums) {
      if (name == sum.metric && !(sum.figure == F::kMaxMemory && own_limit))
        count(sum.figure, sample.value);
    }
    if (name == kHostDatabaseBytes) overhead = add(overhead, sample.value);
    for (const HostSum& sum : kHostSums) {
      if (name != metric_name(sum.host)) continue;
      if (sum.figure == F::kMaxMemory) {
        own_limit = true;
        figure(F::kMaxMemory).reset();  // the server's own stands for the heap's
      }
      count(sum.figure, sample.value);
      if (sum.is_overhead) overhead = add(overhead, sample.value);
    }
  }

  const Number used = number(F::kUsed);
  const Number rss = number(F::kRss);
  const Number allocated = number(F::kAllocated);
  const Number resident = number(F::kResident);
  const Number active = number(F::kActive);
  const Number wasted = number(F::kAllocatorFragBytes);
  const Number beyond_startup = subtract(used, number(F::kStartup));
  figure(F::kPeakPercentage) = divide(times_100(used), number(F::kPeak));
  if (number(F::kStartup)) {
    figure(F::kOverhead) = whole(overhead);
    Number dataset = subtract(used, overhead);
    if (dataset) dataset = std::max(*dataset, int64_t{0});
    figure(F::kDataset) = whole(dataset);
    figure(F::kDatasetPercentage) = divide(times_100(dataset), beyond_startup);
    figure(F::kBytesPerKey) = divide(beyond_startup, number(F::kKeys));
  }
  figure(F::kVmTotal) = whole(add(number(F::kScriptVm), number(F::kFunctionVm)));
  figure(F::kScriptsTotal) = whole(add(number(F::kScriptCaches), number(F::kFunctionCaches)));
  figure(F::kAllocatorFragRatio) = divide(add(allocated, wasted), allocated);
  figure(F::kAllocatorRssRatio) = divide(resident, active);
  figure(F::kAllocatorRssBytes) = whole(subtract(resident, active));
  figure(F::kRssOverheadRatio) = divide(rss, resident);
  figure(F::kRssOverheadBytes) = whole(subtract(rss, resident));
  figure(F::kFragmentationRatio) = divide(rss, used);
  figure(F::kFragmentationBytes) = whole(subtract(rss, used));
  if (const Number share = number(F::kDefragRunning)) {
    figure(F::kDefragRunning) = Quotient{*share / 10000, 1};  // millionths to percent
  }
  if (const auto per_key = figure(F::kBytesPerKey)) {
    figure(F::kBytesPerKey) = Quotient{per_key->numerator / per_key->denominator, 1};
  }
}

std::span<const RedisName> redis_names() noexcept { return kNames; }

bool is_redis_figure(const Metric& metric) noexcept {
  const string_view name = metric.name;
  const auto is_sum = [&](const Sum& sum) { return name == sum.metric; };
  const auto is_host = [&](const HostSum& sum) { return name == metric_name(sum.host); };
  return std::any_of(std::begin(kSums), std::end(kSums), is_sum) ||
         std::any_of(std::begin(kHostSums), std::end(kHostSums), is_host);
}

}  // namespace numaheap::stats

/// \file
/// INFO memory: a snapshot as Redis' INFO command prints it (names, units, CRLF), so that existing dashboards and
/// exporters read it, followed by what is ours.
///
/// The fields of Redis come from the metrics named below and from what the server gives (host_figures.hpp), in Redis'
/// order; several samples of one metric (one a node) are added up. docs/metrics.md lists each field and its meaning.
/// A field whose metric has no sample is left out, as is a ratio to zero; nothing is made up.
///
/// Ours: every other summary metric, and those of Redis again by node, as
/// `numaheap_[node<N>_]<metric>[_<other labels>]`, the metric without its prefix "numaheap_" and without "_bytes":
/// `numaheap_node0_live:1048576`. A ratio has two decimals.

#pragma once

#include <cstddef>

#include "numaheap/base/api.h"
#include "numaheap/stats/registry.hpp"

namespace numaheap::stats {

/// Live bytes: handed out and not yet given back. Label: node.
inline constexpr char kLiveBytes[] = "numaheap_live_bytes";
/// The most that kLiveBytes, over all nodes, was seen to be, and when.
inline constexpr char kPeakBytes[] = "numaheap_live_peak_bytes";
inline constexpr char kPeakTime[] = "numaheap_live_peak_time_seconds";
/// RSS of the whole process, as the kernel says.
inline constexpr char kProcessResidentBytes[] = "numaheap_process_resident_bytes";
/// What has left the arenas: live and cached. Label: node.
inline constexpr char kAllocatedBytes[] = "numaheap_allocated_bytes";
/// Pages that hold at least one allocated block. Label: node.
inline constexpr char kActiveBytes[] = "numaheap_active_bytes";
/// Pages of the heap that the kernel keeps in memory: active, dirty and our own metadata. Label: node.
inline constexpr char kResidentBytes[] = "numaheap_resident_bytes";
/// Pages that the kernel may take back when it is short of memory. Label: node.
inline constexpr char kMuzzyBytes[] = "numaheap_muzzy_bytes";
/// Free slots in the slabs of small blocks (Redis' small-bin waste). Label: node.
inline constexpr char kFragmentedBytes[] = "numaheap_fragmented_bytes";
/// Memory of the machine.
inline constexpr char kSystemMemoryBytes[] = "numaheap_system_memory_bytes";
/// The process' hard limit on live bytes, while one is set.
inline constexpr char kHardLimitBytes[] = "numaheap_hard_limit_bytes";
/// Type kInfo; its label "version" says who the allocator is ("numaheap-0.1.0").
inline constexpr char kBuild[] = "numaheap_build";

// Of parts that let go or move in the background; INFO has their fields once such a part registers them.
/// Objects that were let go and not freed yet.
inline constexpr char kLazyfreePendingObjects[] = "numaheap_lazyfree_pending_objects";
/// Objects that were freed that way (a counter).
inline constexpr char kLazyfreedObjects[] = "numaheap_lazyfreed_objects";
/// The share of a CPU that defragmentation aims at now, in millionths; 0 while it rests.
inline constexpr char kDefragCpuRatio[] = "numaheap_defrag_cpu_ratio";
/// Blocks that it moved, and that it looked at and left (counters).
inline constexpr char kDefragHits[] = "numaheap_defrag_hits";
inline constexpr char kDefragMisses[] = "numaheap_defrag_misses";
/// Objects of which it moved something, and that it left as they were (counters).
inline constexpr char kDefragKeyHits[] = "numaheap_defrag_key_hits";
inline constexpr char kDefragKeyMisses[] = "numaheap_defrag_key_misses";

/// Writes the memory section of INFO ("# Memory\r\nused_memory:...\r\n...") into `buffer` as
/// snprintf does. \returns the length without the terminator, which may be more than `size`: then
/// the text is cut. Thread-safe; allocates nothing.
NH_API size_t render_info(const Snapshot& snapshot, char* buffer, size_t size) noexcept;

}  // namespace numaheap::stats

/// \file
/// Names of the metrics that the doctor's rules read, beyond those of info.hpp and host_figures.hpp. Who owns a figure registers it under
/// its name here; as long as nobody does, the rules that need it say so.

#pragma once

namespace numaheap::stats {

// The heap's. Label: node, unless said otherwise.
/// Given back to the node's caches by threads' caches, ever (a counter).
inline constexpr char kReturnedBytes[] = "numaheap_returned_bytes";
/// Of kReturnedBytes, what threads of other nodes sent home (a counter).
inline constexpr char kFreedRemoteBytes[] = "numaheap_freed_remote_bytes";
/// Free blocks in caches. Labels: node, tier.
inline constexpr char kCachedBytes[] = "numaheap_cached_bytes";
/// Carved on the node because another one's range was full (a counter).
inline constexpr char kSpilledBytes[] = "numaheap_spilled_bytes";
/// Memory of the node's range that has a page, and the part of it whose page is on another node.
inline constexpr char kRangeResidentBytes[] = "numaheap_range_resident_bytes";
inline constexpr char kRangeElsewhereBytes[] = "numaheap_range_elsewhere_bytes";
/// How the pages of a range get to their node. Labels: node, rung.
inline constexpr char kPlacement[] = "numaheap_placement";

// Of deferred release, defrag and the bandwidth meters.
/// Bytes that were let go and wait for their node's release worker. Label: node.
inline constexpr char kLazyfreePendingBytes[] = "numaheap_lazyfree_pending_bytes";
/// What the defrag worker copied, and what that gave back to the kernel (counters).
inline constexpr char kDefragMovedBytes[] = "numaheap_defrag_moved_bytes";
inline constexpr char kDefragReclaimedBytes[] = "numaheap_defrag_reclaimed_bytes";
/// Memory traffic of a node now, and the most that was measured. Label: node.
inline constexpr char kBandwidth[] = "numaheap_bandwidth_bytes_per_second";
inline constexpr char kBandwidthPeak[] = "numaheap_bandwidth_peak_bytes_per_second";

}  // namespace numaheap::stats

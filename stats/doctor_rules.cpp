#include "doctor_rules.hpp"

namespace numaheap::stats {

namespace {

constexpr double kMiB = 1024.0 * 1024.0;

constexpr std::array<RuleInfo, kRules> kInfos = {{
    // Redis' nine, with its conditions.
    {Rule::kEmpty, "empty", Severity::kNotice, "live bytes", Unit::kBytes, true, 5 * kMiB, nullptr,
     0, "Hardly anything is allocated, so that ratios to it say nothing.",
     "Ask again when the process holds its data."},
    {Rule::kBigPeak, "big-peak", Severity::kNotice, "peak of live bytes / live bytes",
     Unit::kMillionths, false, 1.5, nullptr, 0,
     "The process once held much more memory than now, and what it needed then may still be "
     "resident.",
     "If resident memory stays high as well, give it back with purge() (MEMORY PURGE under "
     "preload)."},
    {Rule::kHighRss, "high-rss", Severity::kWarning, "process resident bytes / live bytes",
     Unit::kMillionths, false, 1.4, "the difference", 10 * kMiB,
     "The process takes much more memory than its data.",
     "The rules allocator-fragmentation, allocator-rss, process-rss and cache-overhead say which "
     "part of it is the reason."},
    {Rule::kAllocatorFragmentation, "allocator-fragmentation", Severity::kWarning,
     "(allocated + free slots in slabs) / allocated", Unit::kMillionths, false, 1.1,
     "free slots in slabs", 10 * kMiB,
     "Slabs of small blocks are only partly used, and no purge can give that back.",
     "Move objects together (active defrag), or restart when that suits. Objects of like size and "
     "lifetime, freed together, avoid it."},
    {Rule::kAllocatorRss, "allocator-rss", Severity::kNotice, "heap resident / active",
     Unit::kMillionths, false, 1.1, "the difference", 10 * kMiB,
     "The heap keeps unused pages resident, for use again or until they decay.",
     "purge() (MEMORY PURGE under preload) gives them back at once; a lower "
     "NUMAHEAP_DIRTY_DECAY_MS does so earlier by itself."},
    {Rule::kProcessRss, "process-rss", Severity::kNotice, "process resident / heap resident",
     Unit::kMillionths, false, 1.1, "the difference", 10 * kMiB,
     "Much of the process' memory is outside of the heap: code, stacks, mapped files, other "
     "allocators.",
     "Look at /proc/PID/smaps for what it is: shared libraries, modules and scripting engines are "
     "the usual ones."},
    {Rule::kClientBuffers, "client-buffers", Severity::kWarning, "bytes per client, replicas aside",
     Unit::kBytes, false, 200 * 1024.0, nullptr, 0,
     "Clients use much memory: they ask faster than they read, or have large requests under way.",
     "Find them in the host's list of clients, and limit their output buffers "
     "(client-output-buffer-limit in Redis)."},
    {Rule::kReplicaBuffers, "replica-buffers", Severity::kWarning, "bytes of all replicas' buffers",
     Unit::kBytes, false, 10 * kMiB, nullptr, 0,
     "Replicas do not take what is sent to them as fast as it is written.",
     "Look at the network to the replicas and at their load; a limit on replicas' output buffers "
     "bounds what it costs."},
    {Rule::kScripts, "scripts", Severity::kNotice, "scripts kept by the host", Unit::kCount, false,
     1000, nullptr, 0,
     "Very many scripts are kept: clients seem to make them up instead of passing arguments.",
     "Write scripts once and pass what varies as arguments; SCRIPT FLUSH frees those that are "
     "there."},
    // Ours.
    {Rule::kRemoteFrees, "remote-frees", Severity::kWarning,
     "bytes sent home to another node / bytes given back by threads", Unit::kMillionths, false,
     0.25, "bytes sent home in that time", 64 * kMiB,
     "Threads free much of what was allocated on other nodes, which crosses the interconnect.",
     "Let the threads that share data share a node too (a role with `where` and `memory`), or free "
     "where it was allocated."},
    {Rule::kSpill, "spill", Severity::kWarning,
     "resident bytes of a node's range that lie elsewhere / resident bytes of the range",
     Unit::kMillionths, false, 0.05, "bytes elsewhere", 64 * kMiB,
     "The node was full, and the kernel put pages that belong to it on another one.",
     "Free memory on the node (numastat -m shows what holds it; page cache often does), or give "
     "its threads another node in the roles file."},
    {Rule::kFullRange, "full-range", Severity::kWarning,
     "bytes carved on another node because a range or its limit was full", Unit::kBytes, false, 0,
     nullptr, 0,
     "A node's range of addresses, or its hard limit, was used up, and its allocations came from "
     "other nodes.",
     "Raise the node's limit; or start the process with a larger NUMAHEAP_RANGE, or lift what made "
     "it small (ulimit -v)."},
    {Rule::kSwap, "swap", Severity::kCritical, "process resident bytes / live bytes",
     Unit::kMillionths, true, 1.0, "swapped bytes, if the kernel says", 0,
     "Part of the process' memory is swapped out, and each touch of it waits for the disk.",
     "Give the process less to hold (a limit, NUMAHEAP_HARD_LIMIT) or the machine more memory; "
     "vm.swappiness=0 or MemorySwapMax=0 keeps it from swapping."},
    {Rule::kHugePageBloat, "huge-page-bloat", Severity::kNotice,
     "resident bytes beyond the heap's books, at most those in huge pages / process resident "
     "bytes",
     Unit::kMillionths, false, 0.1, "those bytes", 64 * kMiB,
     "Huge pages keep memory resident that the heap has given back or never used.",
     "NUMAHEAP_HUGE_PAGES=large, or off (a server that forks to save wants off anyway); or write 0 "
     "to /sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none, so that nothing is filled "
     "up."},
    {Rule::kMapCount, "map-count", Severity::kCritical,
     "mappings of the process / vm.max_map_count", Unit::kMillionths, false, 0.5, nullptr, 0,
     "The process has so many mappings that the kernel may soon refuse it more, which looks like "
     "being out of memory.",
     "Raise it: sysctl vm.max_map_count=1048576. /proc/PID/maps shows what makes them."},
    {Rule::kLazyfreeBacklog, "lazyfree-backlog", Severity::kWarning,
     "bytes waiting to be released / live bytes", Unit::kMillionths, false, 0.1, "bytes waiting",
     64 * kMiB, "Memory is let go faster than the workers release it.",
     "Give release more of the bandwidth or the workers more CPUs, or let go of less at once; what "
     "waits still counts as used."},
    {Rule::kCacheOverhead, "cache-overhead", Severity::kNotice, "free bytes in caches / live bytes",
     Unit::kMillionths, false, 0.25, "bytes in caches", 64 * kMiB,
     "Caches hold much for what is in use: many threads, or threads that sleep.",
     "Lower NUMAHEAP_THREAD_CACHE or NUMAHEAP_NODE_CACHE; let a thread that will sleep call "
     "thread_idle()."},
    {Rule::kBandwidth, "bandwidth", Severity::kWarning,
     "memory traffic of a node / the most that it was measured to carry", Unit::kMillionths, false,
     0.8, nullptr, 0,
     "The node's memory carries nearly all that it can, so that every miss waits longer.",
     "Spread the load: move threads with their data to another node by roles, or interleave what "
     "all nodes read."},
    {Rule::kAutoNuma, "auto-numa", Severity::kNotice, "kernel.numa_balancing on more than one node",
     Unit::kCount, false, 0, nullptr, 0,
     "The kernel's NUMA balancing unmaps and moves pages that no policy binds, against our "
     "placement: stacks and other heaps, and ranges that could not be bound.",
     "sysctl kernel.numa_balancing=0; where mbind(2) is refused to a container, permit it, since "
     "bound ranges are left alone."},
    {Rule::kDefragWaste, "defrag-waste", Severity::kNotice, "bytes given back / bytes moved",
     Unit::kMillionths, true, 0.1, "bytes moved in that time", 64 * kMiB,
     "Defrag moves much and gains little.",
     "Raise its threshold, or stop it until the next mass deletion; what cannot be moved may hold "
     "the slabs."},
}};

constexpr bool in_order() {
  for (size_t i = 0; i < kRules; ++i) {
    if (static_cast<size_t>(kInfos[i].rule) != i) return false;
  }
  return true;
}
static_assert(in_order(), "doctor_rules() is indexed by Rule");

}  // namespace

std::span<const RuleInfo, kRules> doctor_rules() noexcept { return kInfos; }

}  // namespace numaheap::stats

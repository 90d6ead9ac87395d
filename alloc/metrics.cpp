#include "metrics.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "heap.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/limits.hpp"
#include "numaheap/statistics.hpp"
#include "numaheap/stats/doctor_metrics.hpp"
#include "numaheap/stats/info.hpp"
#include "numaheap/stats/registry.hpp"
#include "numaheap/zmalloc.h"

namespace numaheap::alloc {

namespace {

using stats::Emitter;
using stats::Label;
using stats::Metric;
using stats::Source;
using stats::Type;
using stats::Unit;

/// What one read of the statistics gives: the metrics below and g_live, which reads for them.
constexpr Metric book(const char* name, const char* help, const char* notes, Unit unit, Type type,
                      std::array<const char*, stats::kMaxLabels> label_keys = {}) {
  return {.name = name,
          .help = help,
          .notes = notes,
          .unit = unit,
          .type = type,
          .label_keys = label_keys,
          .why = why_no_books};
}

constinit Metric g_cached = book(
    stats::kCachedBytes,
    "Free blocks in the caches of threads (tier thread) and of nodes (tier node).",
    "Not live, and not free for other sizes. A thread's cache counts where its blocks belong, so "
    "the outgoing "
    "buffers of other nodes' threads are in it. Too much of it: lower NUMAHEAP_THREAD_CACHE or "
    "NUMAHEAP_NODE_CACHE, call thread_idle() in threads that sleep for long.",
    Unit::kBytes, Type::kGauge, {"node", "tier"});
constinit Metric g_extents =
    book("numaheap_extent_bytes",
         "Held by the node's arena: slabs, large blocks, its dirty extents and its own metadata.",
         "An upper bound of what of it is resident. Far above live and cached bytes together: "
         "slabs are partly "
         "empty (numaheap_fragmented_bytes), or freed extents wait for their decay.",
         Unit::kBytes, Type::kGauge, {"node"});
constinit Metric g_free_dirty = book(
    "numaheap_free_dirty_bytes", "Free extents outside the arena whose pages are still resident.",
    "Serves the next large block without page faults. purge() or MEMORY PURGE gives it back to the "
    "kernel; so "
    "does time, a megabyte at a housekeeping tick.",
    Unit::kBytes, Type::kGauge, {"node"});
constinit Metric g_opened =
    book("numaheap_opened_bytes", "Readable and writable address space of the range, used or not.",
         "Grows in steps of 64 MiB and never shrinks; it is address space, not memory.",
         Unit::kBytes, Type::kGauge, {"node"});
constinit Metric g_spilled =
    book(stats::kSpilledBytes, "Carved here because another node's range or limit was full.",
         "Counts blocks of the arena, not pages that the kernel put elsewhere: for those see "
         "numaheap_range_elsewhere_bytes. If it grows, the other node is too small for what is "
         "bound to it: move "
         "threads, raise its limit, or interleave.",
         Unit::kBytes, Type::kCounter, {"node"});
constinit Metric g_returned = book(
    stats::kReturnedBytes, "Given back to the node by threads' caches, whichever node they are of.",
    "What a thread frees and allocates again out of its cache is not in it. The share of "
    "numaheap_freed_remote_bytes in it is what crosses between nodes.",
    Unit::kBytes, Type::kCounter, {"node"});
constinit Metric g_freed_remote =
    book(stats::kFreedRemoteBytes, "Blocks of this node that threads of other nodes sent home.",
         "Counted when a batch is sent, so it lags behind by at most "
         "a batch a thread and class. Much of it means "
         "that memory is used on another node than it lies on: free "
         "where you allocate, or pin both to one node.",
         Unit::kBytes, Type::kCounter, {"node"});
constinit Metric g_purged = book("numaheap_purged_bytes", "Given back to the kernel.",
                                 "By purges and by decay. If it grows steadily while live bytes do "
                                 "not, pages go back and forth: "
                                 "raise NUMAHEAP_DIRTY_DECAY_MS.",
                                 Unit::kBytes, Type::kCounter, {"node"});
constinit Metric g_placement =
    book(stats::kPlacement, "How the pages of a range get to their node.",
         "Best are preferred, interleave and weighted interleave; not needed on one node. A lower "
         "rung is "
         "reported once, with the reason: often a container's seccomp filter refuses mbind(2).",
         Unit::kCount, Type::kInfo, {"node", "rung"});
constinit Metric g_peak =
    book(stats::kPeakBytes, "The most that live bytes, over all nodes, were seen to be.",
         "As slow paths and readers saw it: a short peak between two of them is missed.",
         Unit::kBytes, Type::kGauge);
constinit Metric g_peak_time =
    book(stats::kPeakTime, "When that was.", nullptr, Unit::kUnixSeconds, Type::kGauge);
constinit Metric g_metadata =
    book("numaheap_metadata_bytes",
         "The heap's own structures: caches, magazines, the free extents' nodes.",
         "Without the page map (1/4096 of what was used of the ranges) and without jemalloc's own, "
         "which is "
         "numaheap_arena_metadata_bytes.",
         Unit::kBytes, Type::kGauge);
constinit Metric g_threads = book("numaheap_threads", "Threads that have a cache now.",
                                  "A thread has one from its first allocation or free to its end.",
                                  Unit::kCount, Type::kGauge);
constinit Metric g_misuses =
    book("numaheap_misuses",
         "Pointers that were given back and were not the heap's, or no start of a block.",
         "They were dropped. Any at all is a bug in the program: NUMAHEAP_MISUSE=abort stops "
         "there. A double free "
         "while the block waits in a cache is not seen.",
         Unit::kCount, Type::kCounter);
constinit Metric g_clamped =
    book("numaheap_clamped", "Figures that a scan saw below 0 and showed as 0.",
         "A free was seen whose allocation was not, as a scan is no snapshot. Harmless; it tells "
         "how often figures "
         "were off.",
         Unit::kCount, Type::kCounter);

void read_books(void* context, Emitter& out) noexcept;
constinit Metric g_live{.name = stats::kLiveBytes,
                        .help = "Handed out and not freed, by the usable size of blocks.",
                        .notes =
                            "Redis' used_memory. Without what caches hold and what slabs waste. "
                            "Exact when nothing runs; while "
                            "threads run it is off by at most what changed hands during the scan.",
                        .unit = Unit::kBytes,
                        .label_keys = {"node"},
                        .read = read_books,
                        .why = why_no_books};

int64_t count(Bytes bytes) noexcept { return static_cast<int64_t>(bytes.value); }
int64_t count(uint64_t n) noexcept { return static_cast<int64_t>(n); }

void read_books(void* /*context*/, Emitter& out) noexcept {
  Statistics books;
  read_statistics(books);
  if (books.placements == 0) return;  // another back end: nothing is known
  for (unsigned i = 0; i < books.placements; ++i) {
    const PlacementStatistics& placement = books.placement[i];
    const Label node = node_label(placement.node, placement.placing);
    out.emit(g_live, count(placement.live), {node});
    out.emit(g_cached, count(placement.thread_cached), {node, "thread"});
    out.emit(g_cached, count(placement.node_cached), {node, "node"});
    out.emit(g_extents, count(placement.extents), {node});
    out.emit(g_free_dirty, count(placement.free_dirty), {node});
    out.emit(g_opened, count(placement.opened), {node});
    out.emit(g_spilled, count(placement.spilled_bytes), {node});
    out.emit(g_returned, count(placement.returned_bytes), {node});
    out.emit(g_freed_remote, count(placement.freed_remote_bytes), {node});
    out.emit(g_purged, count(placement.purged_bytes), {node});
    out.emit(g_placement, 1, {node, numa::name(placement.rung)});
  }
  out.emit(g_peak, count(books.peak));
  out.emit(g_peak_time, books.peak_time);
  out.emit(g_metadata, count(books.metadata));
  out.emit(g_threads, books.threads);
  out.emit(g_misuses, count(books.misuses));
  out.emit(g_clamped, count(books.clamped));
}

/// RSS of the process from /proc/self/statm, or -1.
int64_t process_resident() noexcept {
  const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  char text[128];
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return -1;
  text[length] = 0;
  char* second = nullptr;
  strtoull(text, &second, 10);  // the first number is the address space
  char* end = nullptr;
  const unsigned long long pages = strtoull(second, &end, 10);
  return end == second ? -1 : static_cast<int64_t>(pages) * sysconf(_SC_PAGESIZE);
}

constinit Metric g_process_resident{
    .name = stats::kProcessResidentBytes,
    .help = "Resident set of the whole process.",
    .notes = "Also code, stacks and what other allocators hold; without what was swapped out.",
    .unit = Unit::kBytes,
    .source = Source::kKernel,
    .read =
        [](void*, Emitter& out) noexcept {
          const int64_t bytes = process_resident();
          if (bytes >= 0) out.emit(bytes);
        },
    .why = [](void*) noexcept { return "/proc/self/statm cannot be read"; }};
constinit Metric g_system_memory{.name = stats::kSystemMemoryBytes,
                                 .help = "Memory of the machine.",
                                 .notes = "Not what a container may use: for that see the limits.",
                                 .unit = Unit::kBytes,
                                 .source = Source::kKernel,
                                 .read = [](void*, Emitter& out) noexcept {
                                   out.emit(sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
                                 }};
constinit Metric g_build{.name = stats::kBuild,
                         .help = "Which allocator this is.",
                         .type = Type::kInfo,
                         .label_keys = {"version"},
                         .read = [](void*, Emitter& out) noexcept { out.emit(1, {ZMALLOC_LIB}); }};

constinit Metric g_soft_limit{
    .name = "numaheap_soft_limit_bytes",
    .help = "The process' soft limit on live bytes.",
    .notes = "Crossing it raises a flag and calls back; nothing is refused.",
    .unit = Unit::kBytes,
    .why = [](void*) noexcept { return "no soft limit is set"; }};
constinit Metric g_hard_limit{.name = stats::kHardLimitBytes,
                              .help = "The process' hard limit on live bytes.",
                              .notes =
                                  "Beyond it, what a thread's cache cannot serve fails with ENOMEM "
                                  "after the reclaim hook ran.",
                              .unit = Unit::kBytes,
                              .read =
                                  [](void*, Emitter& out) noexcept {
                                    const Limit live = limit(LimitKind::kLive);
                                    if (live.hard.value != 0) out.emit(count(live.hard));
                                    if (live.soft.value != 0)
                                      out.emit(g_soft_limit, count(live.soft));
                                  },
                              .why = [](void*) noexcept { return "no hard limit is set"; }};

}  // namespace

Label node_label(NodeId node, numa::Placing placing) noexcept {
  switch (placing) {
    case numa::Placing::kNode:
      return node;
    case numa::Placing::kInterleaved:
      return "interleaved";
    case numa::Placing::kWeighted:
      return "weighted";
  }
  return "unknown";
}

const char* why_no_books(void* /*context*/) noexcept {
  if (g_heap.system_backend()) return "another back end serves, which keeps no books";
  return g_heap.is_started() ? nullptr : "the heap was not used yet";
}

void register_metrics() noexcept {
  for (Metric* metric :
       {&g_build,     &g_live,    &g_cached,           &g_extents,       &g_free_dirty,
        &g_opened,    &g_spilled, &g_returned,         &g_freed_remote,  &g_purged,
        &g_placement, &g_peak,    &g_peak_time,        &g_metadata,      &g_threads,
        &g_misuses,   &g_clamped, &g_process_resident, &g_system_memory, &g_hard_limit,
        &g_soft_limit}) {
    stats::register_metric(*metric);
  }
  register_arena_metrics();
  register_bin_metrics();
  register_detail_metrics();
  register_residency_metrics();
}

}  // namespace numaheap::alloc

#include "metrics.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "numaheap/alloc.hpp"
#include "numaheap/limits.hpp"
#include "numaheap/statistics.hpp"
#include "numaheap/stats/info.hpp"
#include "numaheap/stats/registry.hpp"
#include "numaheap/zmalloc.h"

namespace numaheap::alloc {

namespace {

using stats::Detail;
using stats::Emitter;
using stats::Label;
using stats::Metric;
using stats::Source;
using stats::Type;
using stats::Unit;

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

/// What one read of the statistics gives: the metrics below and g_live, which reads for them.
constinit Metric g_cached{
    .name = "numaheap_cached_bytes",
    .help = "Free blocks in caches: of threads (outgoing buffers included) and of the node.",
    .unit = Unit::kBytes,
    .label_keys = {"node", "tier"}};
constinit Metric g_extents{
    .name = "numaheap_extent_bytes",
    .help = "Held by the arena: slabs, large blocks, its dirty extents and its own metadata.",
    .unit = Unit::kBytes,
    .label_keys = {"node"}};
constinit Metric g_free_dirty{
    .name = "numaheap_free_dirty_bytes",
    .help = "Free extents outside the arena whose pages are still resident.",
    .unit = Unit::kBytes,
    .label_keys = {"node"}};
constinit Metric g_opened{.name = "numaheap_opened_bytes",
                          .help = "Readable and writable address space, used or not.",
                          .unit = Unit::kBytes,
                          .label_keys = {"node"}};
constinit Metric g_spilled{.name = "numaheap_spilled_bytes",
                           .help = "Carved here because another node's range was full.",
                           .unit = Unit::kBytes,
                           .type = Type::kCounter,
                           .label_keys = {"node"}};
constinit Metric g_freed_remote{.name = "numaheap_freed_remote_bytes",
                                .help = "Sent home here by threads of other nodes.",
                                .unit = Unit::kBytes,
                                .type = Type::kCounter,
                                .label_keys = {"node"}};
constinit Metric g_purged{.name = "numaheap_purged_bytes",
                          .help = "Given back to the kernel.",
                          .unit = Unit::kBytes,
                          .type = Type::kCounter,
                          .label_keys = {"node"}};
constinit Metric g_placement{.name = "numaheap_placement",
                             .help = "How the pages of a range get to their node.",
                             .type = Type::kInfo,
                             .label_keys = {"node", "rung"}};
constinit Metric g_peak{
    .name = stats::kPeakBytes,
    .help = "The highest figure of live bytes that a slow path or a reader saw.",
    .unit = Unit::kBytes};
constinit Metric g_peak_time{
    .name = stats::kPeakTime, .help = "When that was.", .unit = Unit::kUnixSeconds};
constinit Metric g_metadata{.name = "numaheap_metadata_bytes",
                            .help = "The heap's own memory, beyond that of its arenas.",
                            .unit = Unit::kBytes};
constinit Metric g_threads{.name = "numaheap_threads", .help = "Threads that have a cache now."};
constinit Metric g_misuses{.name = "numaheap_misuses",
                           .help = "Pointers that were not the heap's, and were dropped.",
                           .type = Type::kCounter};
constinit Metric g_clamped{
    .name = "numaheap_clamped",
    .help = "Figures that would have been negative during a scan, shown as 0.",
    .type = Type::kCounter};

void read_books(void* context, Emitter& out) noexcept;
constinit Metric g_live{.name = stats::kLiveBytes,
                        .help = "Handed out and not freed, by the usable size of blocks.",
                        .unit = Unit::kBytes,
                        .label_keys = {"node"},
                        .read = read_books};

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

/// Rows for a reader whose number is known only at run time, from the kernel: a snapshot must not use the heap.
template <class Row>
class Rows {
 public:
  explicit Rows(size_t count) noexcept : bytes_(count * sizeof(Row)) {
    if (count == 0) return;
    void* memory =
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) rows_ = {static_cast<Row*>(memory), count};
  }
  ~Rows() {
    if (!rows_.empty()) munmap(rows_.data(), bytes_);
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  [[nodiscard]] std::span<Row> span() const noexcept { return rows_; }

 private:
  std::span<Row> rows_;
  size_t bytes_;
};

/// Asks `read` how many rows there are, then for that many and some that may have come meanwhile.
template <class Row, class Emit>
void for_each_row(size_t (*read)(std::span<Row>) noexcept, Emit emit) noexcept {
  constexpr size_t kSpare = 64;
  const Rows<Row> rows(read({}) + kSpare);
  const size_t filled = std::min(read(rows.span()), rows.span().size());
  for (const Row& row : rows.span().first(filled)) emit(row);
}

constinit Metric g_class_cached{.name = "numaheap_class_cached_blocks",
                                .help = "Free blocks of a size class in threads' caches.",
                                .detail = Detail::kPerClass,
                                .label_keys = {"node", "block_bytes"}};
constinit Metric g_class_live{
    .name = "numaheap_class_live_blocks",
    .help = "Live blocks of a size class; block_bytes 0 are those above the largest.",
    .detail = Detail::kPerClass,
    .label_keys = {"node", "block_bytes"},
    .read = [](void*, Emitter& out) noexcept {
      for_each_row(&read_class_statistics, [&](const ClassStatistics& row) {
        const Label node = row.node == kNoNode ? Label("spread") : Label(row.node);
        out.emit(g_class_live, count(row.live_blocks), {node, row.block_bytes});
        out.emit(g_class_cached, count(row.cached_blocks), {node, row.block_bytes});
      });
    }};

constinit Metric g_thread_flow{
    .name = "numaheap_thread_flow_bytes",
    .help =
        "Taken from the node-level caches and given to them. The difference says "
        "nothing: threads free what others allocated.",
    .unit = Unit::kBytes,
    .type = Type::kCounter,
    .detail = Detail::kPerThread,
    .label_keys = {"thread", "direction"}};
constinit Metric g_thread_cached{
    .name = "numaheap_thread_cached_bytes",
    .help = "Free blocks in a thread's cache.",
    .unit = Unit::kBytes,
    .detail = Detail::kPerThread,
    .label_keys = {"thread", "home"},
    .read = [](void*, Emitter& out) noexcept {
      for_each_row(&read_thread_statistics, [&](const ThreadStatistics& row) {
        const Label thread = static_cast<uint64_t>(row.thread_id);
        out.emit(g_thread_cached, count(row.cached), {thread, row.home});
        out.emit(g_thread_flow, count(row.filled_bytes), {thread, "filled"});
        out.emit(g_thread_flow, count(row.returned_bytes), {thread, "returned"});
      });
    }};

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

constinit Metric g_process_resident{.name = stats::kProcessResidentBytes,
                                    .help = "Resident set of the whole process.",
                                    .unit = Unit::kBytes,
                                    .source = Source::kKernel,
                                    .read = [](void*, Emitter& out) noexcept {
                                      const int64_t bytes = process_resident();
                                      if (bytes >= 0) out.emit(bytes);
                                    }};
constinit Metric g_system_memory{.name = stats::kSystemMemoryBytes,
                                 .help = "Memory of the machine.",
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

constinit Metric g_soft_limit{.name = "numaheap_soft_limit_bytes",
                              .help = "The process' soft limit on live bytes.",
                              .unit = Unit::kBytes};
constinit Metric g_hard_limit{
    .name = stats::kHardLimitBytes,
    .help = "The process' hard limit on live bytes; no sample while none is set.",
    .unit = Unit::kBytes,
    .read = [](void*, Emitter& out) noexcept {
      const Limit live = limit(LimitKind::kLive);
      if (live.hard.value != 0) out.emit(count(live.hard));
      if (live.soft.value != 0) out.emit(g_soft_limit, count(live.soft));
    }};

}  // namespace

void register_metrics() noexcept {
  for (Metric* metric : {&g_build,         &g_live,         &g_cached,
                         &g_extents,       &g_free_dirty,   &g_opened,
                         &g_spilled,       &g_freed_remote, &g_purged,
                         &g_placement,     &g_peak,         &g_peak_time,
                         &g_metadata,      &g_threads,      &g_misuses,
                         &g_clamped,       &g_class_live,   &g_class_cached,
                         &g_thread_cached, &g_thread_flow,  &g_process_resident,
                         &g_system_memory, &g_hard_limit,   &g_soft_limit}) {
    stats::register_metric(*metric);
  }
  register_arena_metrics();
  register_residency_metrics();
}

}  // namespace numaheap::alloc

#include <algorithm>
#include <span>

#include "kernel_rows.hpp"
#include "metrics.hpp"
#include "numaheap/statistics.hpp"
#include "numaheap/stats/registry.hpp"

// The figures of which there are many: by size class, by thread.

namespace numaheap::alloc {

namespace {

using stats::Detail;
using stats::Emitter;
using stats::Label;
using stats::Metric;
using stats::Type;
using stats::Unit;

int64_t count(Bytes bytes) noexcept { return static_cast<int64_t>(bytes.value); }
int64_t count(uint64_t n) noexcept { return static_cast<int64_t>(n); }

/// Asks `read` how many rows there are, then for that many and some that may have come meanwhile.
template <class Row, class Emit>
void for_each_row(size_t (*read)(std::span<Row>) noexcept, Emit emit) noexcept {
  constexpr size_t kSpare = 64;
  const KernelRows<Row> rows(read({}) + kSpare);
  const size_t filled = std::min(read(rows.span()), rows.span().size());
  for (const Row& row : rows.span().first(filled)) emit(row);
}

constinit Metric g_class_cached{.name = "numaheap_class_cached_blocks",
                                .help = "Free blocks of a size class in threads' caches.",
                                .notes = "Without those in the node's cache.",
                                .detail = Detail::kPerClass,
                                .label_keys = {"node", "block_bytes"},
                                .why = why_no_books};
constinit Metric g_class_live{
    .name = "numaheap_class_live_blocks",
    .help = "Live blocks of a size class; block_bytes 0 are those above the largest.",
    .notes =
        "Of interleaved and weighted ranges together, under node=\"spread\". Which sizes a program "
        "really uses; "
        "a class with many live blocks after their owner is gone is a leak's.",
    .detail = Detail::kPerClass,
    .label_keys = {"node", "block_bytes"},
    .read =
        [](void*, Emitter& out) noexcept {
          for_each_row(&read_class_statistics, [&](const ClassStatistics& row) {
            const Label node = row.node == kNoNode ? Label("spread") : Label(row.node);
            out.emit(g_class_live, count(row.live_blocks), {node, row.block_bytes});
            out.emit(g_class_cached, count(row.cached_blocks), {node, row.block_bytes});
          });
        },
    .why = why_no_books};

constinit Metric g_thread_flow{.name = "numaheap_thread_flow_bytes",
                               .help = "Taken from the node-level caches and given to them.",
                               .notes =
                                   "The difference says nothing: threads free what others "
                                   "allocated. A thread with much of both has a "
                                   "cache that is too small for it: raise NUMAHEAP_THREAD_CACHE.",
                               .unit = Unit::kBytes,
                               .type = Type::kCounter,
                               .detail = Detail::kPerThread,
                               .label_keys = {"thread", "direction"},
                               .why = why_no_books};
constinit Metric g_thread_cached{
    .name = "numaheap_thread_cached_bytes",
    .help = "Free blocks in a thread's cache; home is the node that it allocates from.",
    .notes =
        "Threads are named by gettid(2). Left out: threads that have ended, and what they left for "
        "the next.",
    .unit = Unit::kBytes,
    .detail = Detail::kPerThread,
    .label_keys = {"thread", "home"},
    .read =
        [](void*, Emitter& out) noexcept {
          for_each_row(&read_thread_statistics, [&](const ThreadStatistics& row) {
            const Label thread = static_cast<uint64_t>(row.thread_id);
            out.emit(g_thread_cached, count(row.cached), {thread, row.home});
            out.emit(g_thread_flow, count(row.filled_bytes), {thread, "filled"});
            out.emit(g_thread_flow, count(row.returned_bytes), {thread, "returned"});
          });
        },
    .why = why_no_books};

}  // namespace

void register_detail_metrics() noexcept {
  for (Metric* metric : {&g_class_live, &g_class_cached, &g_thread_cached, &g_thread_flow})
    stats::register_metric(*metric);
}

}  // namespace numaheap::alloc

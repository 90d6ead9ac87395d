/// \file
/// glibc's calls about the heap as a whole, answered from our books: malloc_trim, mallinfo, malloc_info, mallopt.

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>

#include <algorithm>

#include "numaheap/alloc.hpp"
#include "numaheap/statistics.hpp"

namespace {

using numaheap::Bytes;
using numaheap::ClassStatistics;
using numaheap::kNoNode;
using numaheap::PlacementStatistics;
using numaheap::Statistics;

/// All rows of the class statistics, in memory of the heap itself.
class ClassRows {
 public:
  ClassRows() noexcept {
    // Room for classes that come into use between the two calls.
    const size_t room = numaheap::read_class_statistics({}) + numaheap::detail::kClassCount;
    rows_ = static_cast<ClassStatistics*>(numaheap::allocate(room * sizeof(ClassStatistics)));
    if (rows_ != nullptr) count_ = std::min(room, numaheap::read_class_statistics({rows_, room}));
  }
  ~ClassRows() { numaheap::deallocate(rows_); }
  ClassRows(const ClassRows&) = delete;
  ClassRows& operator=(const ClassRows&) = delete;

  [[nodiscard]] bool has_memory() const { return rows_ != nullptr; }
  [[nodiscard]] std::span<const ClassStatistics> get() const { return {rows_, count_}; }

 private:
  ClassStatistics* rows_;
  size_t count_ = 0;
};

int saturated(size_t value) { return value > INT_MAX ? INT_MAX : static_cast<int>(value); }

/// What the heap has of the kernel's memory or had and keeps.
Bytes held(const PlacementStatistics& placement) {
  return placement.extents + placement.free_dirty;
}

void print_placement(FILE* out, unsigned index, const PlacementStatistics& placement,
                     std::span<const ClassStatistics> rows) {
  const Bytes cached = placement.thread_cached + placement.node_cached;
  fprintf(out, "<heap nr=\"%u\"", index);
  if (placement.node != kNoNode) fprintf(out, " node=\"%u\"", placement.node.value);
  fprintf(out, ">\n<sizes>\n");
  uint64_t cached_blocks = 0;
  for (const ClassStatistics& row : rows) {
    if (row.node != placement.node || row.cached_blocks == 0) continue;
    cached_blocks += row.cached_blocks;
    fprintf(out, "  <size from=\"%zu\" to=\"%zu\" total=\"%zu\" count=\"%zu\"/>\n", row.block_bytes,
            row.block_bytes, row.block_bytes * row.cached_blocks,
            static_cast<size_t>(row.cached_blocks));
  }
  fprintf(out,
          "</sizes>\n<total type=\"fast\" count=\"%zu\" size=\"%zu\"/>\n<total type=\"rest\" "
          "count=\"0\" size=\"%zu\"/>\n"
          "<total type=\"live\" size=\"%zu\"/>\n<system type=\"current\" size=\"%zu\"/>\n"
          "<aspace type=\"total\" size=\"%zu\"/>\n</heap>\n",
          static_cast<size_t>(cached_blocks), cached.value, placement.free_dirty.value,
          placement.live.value, held(placement).value, placement.opened.value);
}

}  // namespace

extern "C" {

/// \returns 1 if memory went back to the kernel. `pad`, how much to keep at a heap's top, has no meaning here.
NH_API int malloc_trim(size_t /*pad*/) noexcept {
  return numaheap::purge(Bytes{SIZE_MAX / 2}).purged.value != 0;
}

/// Accepts the parameters of glibc so that programs which insist on success go on; none has a meaning here.
NH_API int mallopt(int parameter, int /*value*/) noexcept {
  switch (parameter) {
    case M_MXFAST:
    case M_TRIM_THRESHOLD:
    case M_TOP_PAD:
    case M_MMAP_THRESHOLD:
    case M_MMAP_MAX:
    case M_CHECK_ACTION:
    case M_PERTURB:
    case M_ARENA_TEST:
    case M_ARENA_MAX:
      return 1;
    default:
      return 0;
  }
}

/// uordblks is what is live, fsmblks what caches hold, keepcost what malloc_trim could give back.
NH_API struct mallinfo2 mallinfo2() noexcept {
  Statistics heap;
  numaheap::read_statistics(heap);
  struct mallinfo2 info {};
  info.arena = (heap.extents + heap.free_dirty).value;
  info.ordblks = 1;  // as glibc: what is free counts as one piece at least
  info.fsmblks = (heap.thread_cached + heap.node_cached).value;
  info.uordblks = heap.live.value;
  info.fordblks = info.arena - std::min(info.arena, info.uordblks);
  info.keepcost = heap.free_dirty.value;
  return info;
}

/// The same in int, the largest one where a figure does not fit.
NH_API struct mallinfo mallinfo() noexcept {
  const struct mallinfo2 wide = mallinfo2();
  struct mallinfo info {};
  info.arena = saturated(wide.arena);
  info.ordblks = saturated(wide.ordblks);
  info.fsmblks = saturated(wide.fsmblks);
  info.uordblks = saturated(wide.uordblks);
  info.fordblks = saturated(wide.fordblks);
  info.keepcost = saturated(wide.keepcost);
  return info;
}

/// glibc's XML, a heap per placement: `fast` is what threads' and nodes' caches hold (by size: threads' only), `rest` what
/// lies free in extents.
NH_API int malloc_info(int options, FILE* out) noexcept {
  if (options != 0) return EINVAL;
  Statistics heap;
  numaheap::read_statistics(heap);
  const ClassRows rows;
  if (!rows.has_memory()) return ENOMEM;
  fprintf(out, "<malloc version=\"1\">\n");
  for (unsigned i = 0; i < heap.placements; ++i)
    print_placement(out, i, heap.placement[i], rows.get());
  fprintf(
      out,
      "<total type=\"fast\" size=\"%zu\"/>\n<total type=\"rest\" size=\"%zu\"/>\n<total "
      "type=\"live\" size=\"%zu\"/>\n"
      "<system type=\"current\" size=\"%zu\"/>\n<aspace type=\"total\" size=\"%zu\"/>\n</malloc>\n",
      (heap.thread_cached + heap.node_cached).value, heap.free_dirty.value, heap.live.value,
      (heap.extents + heap.free_dirty).value, heap.opened.value);
  return 0;
}

}  // extern "C"

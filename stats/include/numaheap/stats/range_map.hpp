/// \file
/// RangeMap: a picture of one piece of address space, cell by cell: how much of each cell is used, how much is free in
/// what way. Data alone: the heap draws it, Publisher carries it, ProcessView reads it.

#pragma once

#include <cstddef>
#include <cstdint>

namespace numaheap::stats {

/// What lies in a cell. The sum is at most its size; the rest is what the arena holds for itself (free extents that it
/// has not let go of, its own records), or was never used.
struct MapCell {
  uint32_t used = 0;         ///< Bytes in blocks, live or cached.
  uint32_t free_slots = 0;   ///< Bytes in free slots of slabs that hold blocks, too.
  uint32_t dirty = 0;        ///< Bytes free as whole pages that are still resident.
  uint32_t clean = 0;        ///< Bytes free as whole pages that the kernel has back.
  uint32_t block_bytes = 0;  ///< Size of the blocks that take most of the cell; 0: none.
};

struct RangeMap {
  static constexpr size_t kMostCells = 16384;

  char name[24] = "";       ///< "node 0", "interleaved", "weighted".
  uint64_t start = 0;       ///< Address.
  uint64_t cell_bytes = 0;  ///< A power of two of pages.
  uint64_t opened = 0;      ///< Bytes from the start on that are readable and writable.
  uint64_t grown = 0;       ///< Bytes from the start on that were ever used.
  uint64_t cells = 0;       ///< They cover `opened`; at most kMostCells.
};

}  // namespace numaheap::stats

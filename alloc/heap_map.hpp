/// \file
/// HeapMapWalk: draws a heap map in steps, so that a thread that has other work can do it a little at a time.
///
/// Three passes, each by ascending address: blocks, as the page map says where they start; dirty and clean extents, as
/// the ExtentPool has them. Nothing points into the heap between two steps but an address to go on from.
/// Threads: one at a time; allocations go on meanwhile.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "jemalloc/extent_usage.hpp"
#include "numaheap/detail/size_class.hpp"
#include "numaheap/stats/range_map.hpp"

namespace numaheap::alloc {

class HeapMapWalk {
 public:
  constexpr HeapMapWalk() = default;

  /// Starts anew with a placement of g_heap, whose heap has started.
  /// \pre cells.size() >= RangeMap::kMostCells. They belong to the walk until it is done.
  void begin(unsigned placement, std::span<stats::MapCell> cells) noexcept;
  /// Inside a SlowPath. Walks on over at most about `extents` slabs, large blocks and free extents.
  /// \returns true when the map is whole.
  bool step(size_t extents) noexcept;

  /// What was drawn so far is left.
  void abandon() noexcept { pass_ = Pass::kDone; }

  [[nodiscard]] bool is_under_way() const noexcept { return pass_ != Pass::kDone; }
  [[nodiscard]] unsigned placement() const noexcept { return placement_; }
  [[nodiscard]] const stats::RangeMap& map() const noexcept { return map_; }

 private:
  enum class Pass : uint8_t { kBlocks, kDirty, kClean, kDone };

  void walk_blocks(size_t extents) noexcept;
  void walk_free(size_t extents) noexcept;
  /// Bytes of the slab or block of class `c` that starts at this offset; 0 if the page map's word is out of date.
  size_t add_block(size_t offset, detail::SizeClass c) noexcept;
  size_t add_slab(size_t offset, detail::SizeClass c) noexcept;
  void add_used(size_t offset, size_t bytes, size_t used, size_t free_slots, detail::SizeClass c,
                size_t block_bytes) noexcept;
  void enter_cell(size_t index) noexcept;
  void finish() noexcept;

  template <class Each>
  void for_each_piece(size_t offset, size_t bytes, Each each) const noexcept;

  unsigned placement_ = 0;
  stats::RangeMap map_;
  std::span<stats::MapCell> cells_;
  Pass pass_ = Pass::kDone;
  size_t offset_ = 0;  ///< Where the pass goes on.

  jemalloc::ExtentUsage usage_;

  size_t cell_ = 0;                         ///< Whose bytes by class are in tally_.
  size_t tally_[detail::kClassCount] = {};  ///< Those above the largest class under kDirectBlock.
  size_t direct_bytes_ = 0;                 ///< Of the last block above it.
};

}  // namespace numaheap::alloc

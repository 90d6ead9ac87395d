#include "heap_map.hpp"

#include <algorithm>
#include <cstdio>

#include "heap.hpp"
#include "numaheap/heap_map.hpp"
#include "slow_path.hpp"

namespace numaheap::alloc {

namespace {

using detail::kClassSizes;
using detail::kPage;
using detail::SizeClass;
using stats::MapCell;
using stats::RangeMap;

constexpr size_t kMostPagesAStep = 64;  ///< Pages without a block, for one extent of a step.

void name_range(const PlacementHeap& placement, RangeMap& map) noexcept {
  if (placement.node != kNoNode) {
    snprintf(map.name, sizeof map.name, "node %u", placement.node.value);
  } else {
    snprintf(map.name, sizeof map.name, "%s",
             placement.placing == numa::Placing::kWeighted ? "weighted" : "interleaved");
  }
}

uint32_t bounded(size_t bytes) noexcept {
  return static_cast<uint32_t>(std::min<size_t>(bytes, UINT32_MAX));
}

}  // namespace

void HeapMapWalk::begin(unsigned placement, std::span<MapCell> cells) noexcept {
  const PlacementHeap& from = g_heap.placement(placement);
  placement_ = placement;
  map_ = {};
  name_range(from, map_);
  map_.start = g_heap.space().range_start(placement);
  map_.opened = g_heap.space().opened(placement).value;
  map_.grown = std::min<uint64_t>(from.extents.grown().value, map_.opened);
  map_.cell_bytes = kPage;
  while (map_.opened / map_.cell_bytes > RangeMap::kMostCells) map_.cell_bytes *= 2;
  map_.cells = (map_.opened + map_.cell_bytes - 1) / map_.cell_bytes;
  cells_ = cells.first(map_.cells);
  std::fill(cells_.begin(), cells_.end(), MapCell{});
  pass_ = Pass::kBlocks;
  offset_ = cell_ = direct_bytes_ = 0;
  std::fill(std::begin(tally_), std::end(tally_), size_t{0});
}

/// Calls each(index of a cell, offset, bytes) for the pieces of [offset, offset + bytes) in the cells.
template <class Each>
void HeapMapWalk::for_each_piece(size_t offset, size_t bytes, Each each) const noexcept {
  const size_t end = std::min<size_t>(offset + bytes, map_.opened);
  while (offset < end) {
    const size_t index = offset / map_.cell_bytes;
    const size_t piece = std::min<size_t>((index + 1) * map_.cell_bytes, end) - offset;
    each(index, piece);
    offset += piece;
  }
}

/// The cell before is whole: what took most of it is known.
void HeapMapWalk::enter_cell(size_t index) noexcept {
  if (index == cell_) return;
  const auto* const most = std::max_element(std::begin(tally_), std::end(tally_));
  if (*most != 0) {
    const auto c = static_cast<SizeClass>(most - std::begin(tally_));
    cells_[cell_].block_bytes = c == detail::kDirectBlock ? bounded(direct_bytes_) : kClassSizes[c];
  }
  std::fill(std::begin(tally_), std::end(tally_), size_t{0});
  cell_ = index;
}

void HeapMapWalk::add_used(size_t offset, size_t bytes, size_t used, size_t free_slots, SizeClass c,
                           size_t block_bytes) noexcept {
  if (c == detail::kDirectBlock) direct_bytes_ = block_bytes;
  for_each_piece(offset, bytes, [&](size_t index, size_t piece) {
    enter_cell(index);
    MapCell& cell = cells_[index];
    const auto share = [&](size_t part) {
      return bounded(part == bytes ? piece : (part * piece + bytes / 2) / bytes);
    };
    cell.used += share(used);
    cell.free_slots += share(free_slots);
    tally_[c] += piece;
  });
}

size_t HeapMapWalk::add_slab(size_t offset, SizeClass c) noexcept {
  const auto slots = usage_.read(reinterpret_cast<const void*>(map_.start + offset));
  const bool is_slab = slots.count > 1 && slots.count * kClassSizes[c] == slots.bytes &&
                       slots.free <= slots.count && offset + slots.bytes <= map_.opened;
  if (!is_slab) return 0;
  const size_t free_bytes = slots.free * kClassSizes[c];
  add_used(offset, slots.bytes, slots.bytes - free_bytes, free_bytes, c, kClassSizes[c]);
  return slots.bytes;
}

size_t HeapMapWalk::add_block(size_t offset, SizeClass c) noexcept {
  if (c >= detail::kFirstClass && kClassSizes[c] <= detail::kMaxSmall) return add_slab(offset, c);
  size_t bytes = kClassSizes[c];
  if (c == detail::kDirectBlock) {
    // Its free forgets it before the arena has it back.
    const auto slots = usage_.read(reinterpret_cast<const void*>(map_.start + offset));
    if (slots.count == 1 && slots.bytes % kPage == 0 && offset + slots.bytes <= map_.opened)
      bytes = slots.bytes;
  }
  if (bytes != 0) add_used(offset, bytes, bytes, 0, c, bytes);
  return bytes;
}

void HeapMapWalk::walk_blocks(size_t extents) noexcept {
  size_t left = extents * kMostPagesAStep;
  const auto* map = g_heap.page_map() + (map_.start - g_heap.space().base()) / kPage;
  while (offset_ < map_.grown && left != 0) {
    const SizeClass c = map[offset_ / kPage].load(std::memory_order_relaxed);
    const size_t bytes =
        c >= detail::kDirectBlock && c < detail::kClassCount ? add_block(offset_, c) : 0;
    const size_t cost = c >= detail::kDirectBlock ? kMostPagesAStep : 1;
    left -= std::min(left, cost);
    offset_ += std::max(bytes, kPage);
  }
  if (offset_ < map_.grown) return;
  enter_cell(map_.cells);  // the last one is whole, too
  pass_ = Pass::kDirty;
  offset_ = 0;
}

void HeapMapWalk::walk_free(size_t extents) noexcept {
  constexpr size_t kAtOnce = 32;  // under the pool's lock: some microseconds
  ExtentPool& pool = g_heap.placement(placement_).extents;
  while (extents != 0) {
    Extent free[kAtOnce];
    const size_t wanted = std::min(extents, kAtOnce);
    const size_t count =
        pool.list_free(map_.start + offset_, pass_ == Pass::kDirty, std::span(free).first(wanted));
    for (const Extent& extent : std::span(free).first(count)) {
      const uintptr_t from = std::max<uintptr_t>(extent.start, map_.start + offset_);
      const uintptr_t end = extent.start + extent.bytes;
      for_each_piece(from - map_.start, end - from, [&](size_t index, size_t piece) {
        (pass_ == Pass::kDirty ? cells_[index].dirty : cells_[index].clean) += bounded(piece);
      });
      offset_ = end - map_.start;
    }
    extents -= wanted;
    if (count == wanted) continue;
    pass_ = pass_ == Pass::kDirty ? Pass::kClean : Pass::kDone;
    offset_ = 0;
    return;
  }
}

/// What moved while the passes went over it was seen twice.
void HeapMapWalk::finish() noexcept {
  for (MapCell& cell : cells_) {
    auto left = static_cast<uint32_t>(map_.cell_bytes);
    for (uint32_t* part : {&cell.used, &cell.free_slots, &cell.dirty, &cell.clean}) {
      *part = std::min(*part, left);
      left -= *part;
    }
  }
}

bool HeapMapWalk::step(size_t extents) noexcept {
  if (pass_ == Pass::kBlocks) {
    walk_blocks(extents);
  } else if (pass_ != Pass::kDone) {
    walk_free(extents);
    if (pass_ == Pass::kDone) finish();
  }
  return pass_ == Pass::kDone;
}

}  // namespace numaheap::alloc

namespace numaheap {

bool draw_heap_map(unsigned placement, stats::RangeMap& map,
                   std::span<stats::MapCell> cells) noexcept {
  using alloc::g_heap;
  if (!g_heap.started() || g_heap.system_backend() || placement >= g_heap.placement_count() ||
      cells.size() < stats::RangeMap::kMostCells)
    return false;
  alloc::HeapMapWalk walk;
  walk.begin(placement, cells);
  constexpr size_t kExtents = 1024;
  for (bool done = false; !done;) {
    const alloc::SlowPath slow;  // a signal handler must not wait for a lock that its thread holds
    if (!slow.entered()) return false;
    done = walk.step(kExtents);
  }
  map = walk.map();
  return true;
}

}  // namespace numaheap

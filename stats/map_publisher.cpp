#include "numaheap/stats/map_publisher.hpp"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <new>

#include "numaheap/base/check.hpp"
#include "segment_layout.hpp"

namespace numaheap::stats {

Status MapPublisher::open(unsigned ranges) noexcept {
  if (is_open()) return numaheap::Unit{};
  Status opened = file_.open(kMapSegmentName, kMapsAt + ranges * sizeof(SegmentMap));
  if (!opened) return opened;
  auto* header = new (file_.memory()) MapSegmentHeader{};
  header->layout = kSegmentLayout;
  header->pid = static_cast<uint32_t>(getpid());
  header->ranges = ranges;
  header->magic = kSegmentMagic;
  return numaheap::Unit{};
}

void MapPublisher::publish(unsigned range, const RangeMap& map,
                           std::span<const MapCell> cells) noexcept {
  NH_ASSERT(is_open() && map.cells <= cells.size() && map.cells <= RangeMap::kMostCells);
  auto& out = *reinterpret_cast<SegmentMap*>(file_.memory() + kMapsAt + range * sizeof(SegmentMap));
  const uint64_t sequence = out.sequence.load(std::memory_order_relaxed);
  out.sequence.store(sequence + 1, std::memory_order_relaxed);
  // release fence: who sees one of the writes below sees the odd sequence (the reader reads it last).
  std::atomic_thread_fence(std::memory_order_release);
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  out.published_ns = now.tv_sec * 1'000'000'000 + now.tv_nsec;
  out.map = map;
  std::copy_n(cells.begin(), map.cells, out.cells);
  out.sequence.store(sequence + 2, std::memory_order_release);  // publishes all of it
}

}  // namespace numaheap::stats

/// \file
/// MapPublisher: puts range maps where ProcessView::read_map() finds them, in a memfd of their own, which is made when
/// somebody wants to see them.
///
/// Threads: one at a time; who calls sees to that.

#pragma once

#include <span>

#include "numaheap/base/api.h"
#include "numaheap/base/result.hpp"
#include "numaheap/stats/published_file.hpp"
#include "numaheap/stats/range_map.hpp"

namespace numaheap::stats {

class MapPublisher {
 public:
  constexpr MapPublisher() = default;

  /// Makes the file with room for `ranges` maps (328 KiB of address space each, backed as far as it is used).
  /// \returns as PublishedFile::open().
  NH_API Status open(unsigned ranges) noexcept;
  [[nodiscard]] bool is_open() const noexcept { return file_.is_open(); }

  /// Puts a map in the place of the last one of this range. Cost: copying its cells, 20 bytes each.
  /// \pre is_open(), and `range` is below what it was opened for.
  NH_API void publish(unsigned range, const RangeMap& map, std::span<const MapCell> cells) noexcept;

  void close() noexcept { file_.close(); }
  /// As PublishedFile's.
  void after_fork_in_child() noexcept { file_.after_fork_in_child(); }

 private:
  PublishedFile file_;
};

}  // namespace numaheap::stats

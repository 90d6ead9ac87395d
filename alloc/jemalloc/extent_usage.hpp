/// \file
/// ExtentUsage: how full the slab is that a block lies in, without jemalloc's locks and without its epoch.
///
/// jemalloc's experimental.utilization.batch_query looks the extent up in its radix tree and reads its record. Records
/// are never unmapped, so a slab that is given back meanwhile gives a wrong answer at worst (a class number that is none
/// any more reads another word of jemalloc's own data, which is ten times as large): whoever asks checks the answer
/// against what he knows of the class. The tree, though, must know the neighbourhood, as a missing leaf of it is not
/// looked for: an address where jemalloc never had an extent is not to be asked for.
/// Source: jemalloc 5.3.0, src/inspect.c and src/ctl.c.

#pragma once

#include <cstddef>

namespace numaheap::alloc::jemalloc {

class ExtentUsage {
 public:
  struct Slots {
    size_t free = 0;   ///< Of a slab: what it could still hand out.
    size_t count = 0;  ///< 1: one large block, or a free extent. 0: no extent is there.
    size_t bytes = 0;  ///< Of the whole extent.
  };

  constexpr ExtentUsage() = default;
  /// Any thread; takes no lock and allocates nothing.
  /// \pre jemalloc has handed out a block that starts on the page of `address`, some time or other.
  [[nodiscard]] Slots read(const void* address) noexcept;

 private:
  size_t path_[3] = {};
  size_t path_length_ = 0;
};

}  // namespace numaheap::alloc::jemalloc

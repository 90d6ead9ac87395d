/// \file
/// The values of the settings (see numaheap/settings.hpp for their names), as read at the first allocation.

#pragma once

#include <cstdint>

#include "extent_pool.hpp"
#include "numaheap/base/bytes.hpp"
#include "numaheap/limits.hpp"
#include "numaheap/settings.hpp"

namespace numaheap::alloc {

struct Settings {
  bool system_backend = false;
  bool abort_on_misuse = false;
  bool try_mbind = true;
  HugePages huge_pages = HugePages::kAuto;
  HugePages node_huge_pages[numa::AddressSpace::kMaxRanges] =
      {};  ///< By node id, where the bit below is set.
  uint64_t node_huge_pages_set[2] = {};
  Bytes range_span = TiB(1);
  Bytes thread_cache = MiB(8);
  Bytes node_cache;  ///< Only if node_cache_set.
  bool node_cache_set = false;
  int64_t dirty_decay_ms = 10000;
  int64_t publish_ms = 100;  ///< 0: never.
  bool background = false;
  unsigned rebind_after = 32;
  Limit live;
  Limit node_live;
  Limit resident;
  Limit cgroup;
};

/// Reads the environment. A value that is not accepted is reported and left at its default. Does not allocate.
Settings read_settings() noexcept;

}  // namespace numaheap::alloc

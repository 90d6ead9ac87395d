/// \file
/// Publisher: puts snapshots where other processes can read them, so that `numaheap top` and its kin need not stop,
/// attach to or ask this one.
///
/// The place is a PublishedFile, so a forked child does not show its parent's figures as its own.
/// Threads: one at a time; who calls sees to that. Cost: that of take_snapshot(), and a copy of each sample.

#pragma once

#include <chrono>

#include "numaheap/base/api.h"
#include "numaheap/base/result.hpp"
#include "numaheap/stats/published_file.hpp"
#include "numaheap/stats/registry.hpp"

namespace numaheap::stats {

class Publisher {
 public:
  constexpr Publisher() = default;
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  /// Makes the memfd (1 MiB of address space, backed as far as it is used) and the room for a snapshot.
  /// \returns kNoMemory, kNotPermitted or kSystem with errno; calling it again tries again.
  NH_API Status open() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return samples_ != nullptr; }

  /// Takes a snapshot and puts it in the place of the last. What there is no room for is counted as left out.
  /// \pre is_open().
  NH_API void publish(Detail detail, Freshness freshness) noexcept;

  /// Until when, by CLOCK_MONOTONIC, somebody wants to see maps, too (ProcessView::read_map() asks for them).
  /// \pre is_open().
  [[nodiscard]] NH_API std::chrono::nanoseconds map_wanted_until() const noexcept;

  /// Gives the memfd back.
  NH_API void close() noexcept;
  /// In a forked child, where the mapping is gone already: async-signal-safe.
  NH_API void after_fork_in_child() noexcept;

 private:
  PublishedFile file_;
  Sample* samples_ = nullptr;
};

}  // namespace numaheap::stats

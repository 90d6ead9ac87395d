/// \file
/// AddressSpace: one contiguous reservation of address space, cut into ranges of one power-of-two
/// span each, every range placed once. So the range of an address is a subtraction and a shift.
///
/// Memory below a range's opened prefix is readable and writable; above it is PROT_NONE, costs
/// nothing, is not dumped and not populated by mlockall. A page belongs to a range for ever:
/// nothing here unmaps (MAP_FIXED would drop the policy), but for overcommit mode 2, where only a
/// re-map returns the charge and the piece is bound again at once.
///
/// Threads: open() and give_back() may be called by several threads for different pieces; the
/// caller sees to it that open() is not called twice at once for the same range. Nothing here
/// allocates or changes errno. A forked child has the same ranges under the same policies.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "numaheap/base/bytes.hpp"
#include "numaheap/base/node_id.hpp"
#include "numaheap/base/result.hpp"

namespace numaheap::numa {

enum class Placing : uint8_t {
  kNode,         ///< All pages on one node, if it has room.
  kInterleaved,  ///< Page by page over a set of nodes.
  kWeighted,     ///< The same, by the kernel's weights.
};

struct RangeSpec {
  Placing placing = Placing::kNode;
  NodeId node;    ///< For kNode.
  NodeSet nodes;  ///< For the others.
};

/// How a range's pages get to their node, best first. AddressSpace::refused_errno() tells what was refused.
enum class PolicyRung : uint8_t {
  kNotNeeded,       ///< The machine has one node.
  kPreferred,       ///< mbind(MPOL_PREFERRED): a full node spills, is never an OOM kill.
  kInterleave,      ///< mbind(MPOL_INTERLEAVE), also where weighted is asked for and not known.
  kWeighted,        ///< mbind(MPOL_WEIGHTED_INTERLEAVE).
  kPinnedPopulate,  ///< mbind is refused: pages are populated by a thread that runs on the node.
  kFirstTouch,      ///< Neither: a memory-only node, interleaving, or pinning is refused.
};

const char* name(PolicyRung rung) noexcept;

struct AddressSpaceOptions {
  /// Wanted per range, a power of two; halved until the reservation succeeds.
  Bytes span = TiB(1);
  /// A power of two of 2 MiB or more.
  Bytes smallest_span = MiB(64);
  /// A prefix grows by multiples of this, of whole pages.
  Bytes open_step = MiB(64);
  /// false: as if mbind were refused (the setting NUMAHEAP_MBIND=off, and tests).
  bool try_mbind = true;
  /// true: goes down the ladder also on a machine of one node. For tests.
  bool place_single_node = false;
};

class AddressSpace {
 public:
  static constexpr unsigned kMaxRanges = 66;  ///< 64 nodes, interleaved, weighted.

  constexpr AddressSpace() = default;
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  /// Reserves and places `count` ranges, and `side_bytes_per_page` bytes of side table for each page of them (the page
  /// map; reserved, placed and opened as the ranges are). Every step down the ladder is kept in rung() and
  /// refused_errno(). Under RLIMIT_AS at most half of what the limit leaves is taken; under ThreadSanitizer, whose
  /// shadow knows little address space, 256 GiB in all. The ranges start at a multiple of 2 MiB.
  /// \pre nothing is reserved.
  /// \returns kInvalidArgument for no range or more than kMaxRanges, a node of kMaxNodes or more, an empty node set, and
  ///          options that are not as said there; kNoMemory if not even the smallest span can be had.
  Status reserve(const RangeSpec* specs, unsigned count, unsigned side_bytes_per_page,
                 const AddressSpaceOptions& options) noexcept;
  /// Gives everything back. For tests: a heap keeps its ranges for ever.
  /// \pre nobody uses the ranges.
  void release() noexcept;

  [[nodiscard]] uintptr_t base() const noexcept { return base_; }
  [[nodiscard]] unsigned span_shift() const noexcept { return span_shift_; }
  [[nodiscard]] Bytes span() const noexcept { return Bytes{size_t{1} << span_shift_}; }
  [[nodiscard]] unsigned range_count() const noexcept { return count_; }
  /// The range of an address, or range_count() or more if it is in none.
  [[nodiscard]] size_t range_of(uintptr_t address) const noexcept {
    return (address - base_) >> span_shift_;
  }
  [[nodiscard]] uintptr_t range_start(unsigned range) const noexcept {
    return base_ + (uintptr_t{range} << span_shift_);
  }
  /// The side table of the whole reservation: entry (address - base()) / 4096.
  [[nodiscard]] void* side_table() const noexcept { return side_; }

  /// Makes the first `bytes` of a range usable (rounded up to the step), and their part of the side table.
  /// \returns kNoMemory if `bytes` is more than the span or the kernel refuses (overcommit mode 2, RLIMIT_DATA), with
  ///          the range as it was.
  Status open(unsigned range, Bytes bytes) noexcept;
  [[nodiscard]] Bytes opened(unsigned range) const noexcept;

  /// On rung kPinnedPopulate: runs the calling thread on the range's node, faults the pages of [start, start + bytes)
  /// in, and gives the thread its affinity back. On the other rungs it does nothing and costs one load.
  /// \pre page-aligned, below the opened prefix. What is there is kept; nobody else writes to it meanwhile.
  /// \returns the refusal if the thread cannot run there (any more): the pages then come by first touch.
  Status populate(unsigned range, uintptr_t start, Bytes bytes) noexcept;
  [[nodiscard]] bool needs_populate(unsigned range) const noexcept;

  /// Gives the pages back to the kernel; they read as zeros after. Under overcommit mode 2 the charge goes back too,
  /// and the piece must be taken with reopen() before it is used again.
  /// \pre page-aligned, below the opened prefix, nobody uses it.
  /// \returns kSystem if the kernel refuses (locked pages), in overcommit mode 2 kNoMemory where the process has too
  ///          many mappings: the contents are then kept.
  Status give_back(unsigned range, uintptr_t start, Bytes bytes) noexcept;
  /// Makes a piece that was given back usable again. Costs nothing but in overcommit mode 2, where its advice on huge
  /// pages is forgotten and the kernel may refuse (kNoMemory).
  Status reopen(unsigned range, uintptr_t start, Bytes bytes) noexcept;

  /// Advises huge pages on (true) or off for a part of a range, opened or not; remembered by the kernel.
  /// \returns kNotSupported if the kernel has no transparent huge pages.
  Status advise_huge_pages(uintptr_t start, Bytes bytes, bool on) noexcept;

  [[nodiscard]] PolicyRung rung(unsigned range) const noexcept { return ranges_[range].rung; }
  [[nodiscard]] int refused_errno(unsigned range) const noexcept {
    return ranges_[range].refused_errno;
  }

 private:
  struct Range {
    RangeSpec spec;
    PolicyRung rung = PolicyRung::kNotNeeded;
    int refused_errno = 0;
    std::atomic<size_t> opened{0};
  };

  struct Piece {
    uintptr_t start;
    size_t bytes;
  };
  /// The part of the side table for the first `bytes` of a range, in whole pages.
  [[nodiscard]] Piece side_piece(unsigned range, size_t bytes) const noexcept;
  [[nodiscard]] size_t side_bytes() const noexcept;
  /// Maps the ranges and the side table at one span, of at most `most` bytes in all.
  bool map(unsigned span_shift, size_t most) noexcept;

  uintptr_t base_ = 0;
  unsigned span_shift_ = 0;
  unsigned count_ = 0;
  char* side_ = nullptr;
  unsigned side_bytes_per_page_ = 0;
  size_t open_step_ = 0;
  bool strict_overcommit_ = false;  ///< vm.overcommit_memory is 2.
  Range ranges_[kMaxRanges];
};

}  // namespace numaheap::numa

// zmalloc with jemalloc's MALLOCX flags: the alignment's power of two in the low six bits, then zero, then twelve bits
// of tcache, then the arena's index plus one.

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>

#include "numaheap/alloc.hpp"
#include "numaheap/statistics.hpp"
#include "numaheap/zmalloc.h"
#include "zmalloc_oom.hpp"

namespace numaheap {
namespace {

constexpr unsigned kAlignmentMask = 0x3f;
constexpr unsigned kZeroFlag = 0x40;
constexpr unsigned kArenaShift = 20;
constexpr size_t kUsualAlignment = 16;

/// The heap's placements by index, read once: they do not change after its start.
class PlacementTable {
 public:
  PlacementTable() noexcept {
    Statistics statistics;
    read_statistics(statistics);
    count_ = statistics.placements;
    for (unsigned i = 0; i < count_; ++i) {
      entries_[i] = {statistics.placement[i].placing, statistics.placement[i].node};
    }
  }
  [[nodiscard]] std::optional<Placement> find(unsigned index) const noexcept {
    if (index >= count_) return std::nullopt;
    switch (entries_[index].placing) {
      case numa::Placing::kNode:
        return Placement::node(entries_[index].node);
      case numa::Placing::kInterleaved:
        return Placement::interleaved();
      case numa::Placing::kWeighted:
        return Placement::weighted();
    }
    return std::nullopt;
  }

 private:
  struct Entry {
    numa::Placing placing;
    NodeId node;
  };
  unsigned count_ = 0;
  Entry entries_[numa::AddressSpace::kMaxRanges] = {};
};

size_t alignment_of(unsigned flags) noexcept { return size_t{1} << (flags & kAlignmentMask); }

void* allocate_flagged(size_t size, unsigned flags) noexcept {
  const unsigned arena = flags >> kArenaShift;
  Placement placement = Placement::local();
  if (arena != 0) {
    static const PlacementTable table;
    const std::optional<Placement> found = table.find(arena - 1);
    if (!found) {
      errno = EINVAL;
      return nullptr;
    }
    placement = *found;
  }
  void* block = allocate_on(placement, size, alignment_of(flags));
  if (block != nullptr && (flags & kZeroFlag) != 0) std::memset(block, 0, size);
  return block;
}

/// The block stays on its node; interleaved and weighted ones are not told apart and become interleaved.
void* move_aligned(void* block, size_t size, size_t alignment) noexcept {
  const NodeId home = home_node(block);
  const Placement placement = home == kNoNode ? Placement::interleaved() : Placement::node(home);
  void* moved = allocate_on(placement, size, alignment);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, block, std::min(size, usable_size(block)));
  deallocate(block);
  return moved;
}

void* reallocate_flagged(void* block, size_t size, unsigned flags) noexcept {
  const size_t old_size = usable_size(block);
  const size_t alignment = alignment_of(flags);
  void* resized = nullptr;
  if (alignment <= kUsualAlignment) {
    resized = reallocate(block, size);
  } else if (size <= old_size && reinterpret_cast<uintptr_t>(block) % alignment == 0) {
    resized = block;
  } else {
    resized = move_aligned(block, size, alignment);
  }
  if (resized != nullptr && (flags & kZeroFlag) != 0 && size > old_size) {
    std::memset(static_cast<char*>(resized) + old_size, 0, size - old_size);
  }
  return resized;
}

}  // namespace
}  // namespace numaheap

using namespace numaheap;

extern "C" {

void* zmalloc_with_flags(size_t size, int flags) noexcept {
  void* block =
      size < kRefusedSize ? allocate_flagged(size, static_cast<unsigned>(flags)) : nullptr;
  return block != nullptr ? block : out_of_memory(size);
}

void* zrealloc_with_flags(void* block, size_t size, int flags) noexcept {
  if (block == nullptr) return zmalloc_with_flags(size, flags);
  if (size == 0) {
    deallocate(block);
    return nullptr;
  }
  void* resized =
      size < kRefusedSize ? reallocate_flagged(block, size, static_cast<unsigned>(flags)) : nullptr;
  return resized != nullptr ? resized : out_of_memory(size);
}

void zfree_with_flags(void* block, int) noexcept { deallocate(block); }

}  // extern "C"

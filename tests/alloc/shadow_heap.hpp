/// \file
/// ShadowHeap: what a right heap must look like, kept beside the real one: which bytes are in use, what is in them, how
/// many blocks of which class are live where.
///
/// The map of used bytes is plain memory on purpose: a block's memory is handed from thread to thread by the heap
/// alone, so ThreadSanitizer sees a hand-over that publishes too little as a race on the map.

#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <utility>

#include "alloc/heap.hpp"
#include "numaheap/alloc.hpp"

namespace numaheap::tests {

/// A live block. Its serial number says what is in it.
struct Block {
  unsigned char* start = nullptr;
  size_t size = 0;       ///< As asked for.
  size_t alignment = 1;  ///< As asked for; 1 after a reallocation.
  size_t usable = 0;
  uint64_t serial = 0;
};

/// Calls `f(offset, byte)` for the bytes that are written and checked: both ends, and some of each page between.
template <class F>
void for_each_mark(uint64_t serial, size_t bytes, F f) {
  const auto value = [serial](size_t offset) {
    return static_cast<unsigned char>((serial + offset) * 0x9e3779b97f4a7c15u >> 56);
  };
  const size_t head = std::min<size_t>(bytes, 128);
  for (size_t offset = 0; offset < head; ++offset) f(offset, value(offset));
  for (size_t offset = head; offset < bytes; offset += 509) f(offset, value(offset));
  if (bytes != 0) f(bytes - 1, value(bytes - 1));
}

inline void write_marks(const Block& block) {
  for_each_mark(block.serial, block.size,
                [&](size_t offset, unsigned char value) { block.start[offset] = value; });
}

/// \param bytes  how many of them must have been kept; the last one only if it is the block's.
inline void check_marks(const Block& block, const unsigned char* start, size_t bytes) {
  for_each_mark(block.serial, block.size, [&](size_t offset, unsigned char value) {
    if (offset < bytes) {
      ASSERT_EQ(start[offset], value) << "byte " << offset << " of " << block.size;
    }
  });
}

class ShadowHeap {
 public:
  ShadowHeap() {
    deallocate(allocate(1));  // the heap starts: its ranges are known
    for (unsigned i = 0; i < alloc::g_heap.placement_count(); ++i) {
      void* map = mmap(nullptr, kMapped / kGranule, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      NH_CHECK(map != MAP_FAILED);
      used_[i] = static_cast<unsigned char*>(map);
    }
  }
  ~ShadowHeap() {
    for (unsigned i = 0; i < alloc::g_heap.placement_count(); ++i)
      munmap(used_[i], kMapped / kGranule);
  }
  ShadowHeap(const ShadowHeap&) = delete;
  ShadowHeap& operator=(const ShadowHeap&) = delete;

  /// Notes a block as in use. Fails the test if any of its bytes is.
  void take(const Block& block) const { set(block, 0, 1); }
  void give(const Block& block) const { set(block, 1, 0); }

 private:
  static constexpr size_t kGranule = 8;
  static constexpr size_t kMapped = size_t{8} << 30;  // of each range; these tests stay far below

  void set(const Block& block, unsigned char from, unsigned char to) const {
    const unsigned placement = alloc::g_heap.placement_of(block.start);
    ASSERT_NE(placement, alloc::kNoPlacement) << static_cast<void*>(block.start);
    const uintptr_t offset =
        reinterpret_cast<uintptr_t>(block.start) - alloc::g_heap.space().range_start(placement);
    ASSERT_EQ(offset % kGranule, 0u);
    ASSERT_LE(offset + block.usable, kMapped);
    unsigned char* const first = used_[placement] + offset / kGranule;
    const size_t count = block.usable / kGranule;
    ASSERT_TRUE(std::all_of(first, first + count, [from](unsigned char b) { return b == from; }))
        << (from == 0 ? "overlaps a live block: " : "was not in use as a whole: ")
        << static_cast<void*>(block.start) << ", " << block.usable << " bytes";
    memset(first, to, count);
  }

  unsigned char* used_[numa::AddressSpace::kMaxRanges] = {};
};

}  // namespace numaheap::tests

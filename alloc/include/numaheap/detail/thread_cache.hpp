/// \file
/// The part of a thread's cache that callers inline: per size class a stack of pointers.
///
/// A thread has one NodeCache per placement it dealt with. malloc pops from the one of its home node; free pushes to
/// the one of the block's own node, so a block is never handed out on a node it does not belong to. Those of other
/// nodes are shallow: they are the outgoing buffers.
///
/// Invariants of a bin: base[-1] is null, base <= top <= limit, the blocks are base[0..top-base). Only the owning
/// thread writes; others may read `top` and `base` for statistics (relaxed: a figure, nothing is published by it).
/// An empty bin is seen by its null guard, so a pop is one load and one test.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "numaheap/base/api.h"
#include "numaheap/detail/size_class.hpp"

namespace numaheap::detail {

struct Bin {
  std::atomic<void**> top;   ///< Next free slot; the newest block is top[-1].
  void** limit;              ///< Where the bin is full. Equal to base where nothing may be cached.
  uintptr_t alignment_mask;  ///< A block's address has none of these bits.
  std::atomic<void**> base;
};
static_assert(sizeof(Bin) == 32);

struct alignas(64) NodeCache {
  uintptr_t range_start;      ///< First address of the placement's range.
  uintptr_t range_bytes;      ///< 0 in the cache that a thread has before its first allocation.
  const std::atomic<SizeClass>* page_map;  ///< One byte per page from range_start on.
  void* owner;                ///< The heap's own view of this cache.
  Bin bins[kClassCount];
};

extern "C" {
/// The calling thread's home cache; one that is always empty and always full before its first allocation. The name
/// carries the ABI's version: a caller that inlined another layout does not link.
extern NH_API __thread NodeCache* nh_home_cache_abi1 __attribute__((tls_model("initial-exec")));
}

[[gnu::always_inline]] inline void* pop_or(SizeClass c, void* (*slow)(SizeClass) noexcept) noexcept {
  Bin& bin = nh_home_cache_abi1->bins[c];
  void** top = bin.top.load(std::memory_order_relaxed);
  void* block = top[-1];
  if (__builtin_expect(block != nullptr, 1)) {
    bin.top.store(top - 1, std::memory_order_relaxed);
    return block;
  }
  return slow(c);
}

[[gnu::always_inline]] inline void push_or(void* block, SizeClass c, void (*slow)(void*, SizeClass) noexcept) noexcept {
  NodeCache* home = nh_home_cache_abi1;
  Bin& bin = home->bins[c];
  void** top = bin.top.load(std::memory_order_relaxed);
  if (__builtin_expect(reinterpret_cast<uintptr_t>(block) - home->range_start < home->range_bytes && top != bin.limit,
                       1)) {
    *top = block;
    bin.top.store(top + 1, std::memory_order_relaxed);
    return;
  }
  slow(block, c);
}

}  // namespace numaheap::detail

/// \file
/// NodeArena: the jemalloc arena of one placement. Its extents come from the placement's ExtentPool.
///
/// Blocks are taken and given in batches through an explicit tcache, which fills the oldest slab with room (one block
/// at a time without it costs twice as much; batch_alloc would take fresh slabs and fragment). There are only 4094
/// explicit tcaches at 29 KB each, so a pool of some per node is kept and one is taken for the length of a batch.
///
/// Threads: any. Created at first use.

#pragma once

#include <atomic>
#include <cstddef>
#include <span>

#include "extent_pool.hpp"
#include "jemalloc/private_jemalloc.hpp"
#include "numaheap/detail/size_class.hpp"
#include "numaheap/statistics.hpp"

namespace numaheap::alloc {

class NodeArena {
 public:
  constexpr NodeArena() = default;

  /// \param refill_caches  the most explicit tcaches to keep: about twice the node's CPUs. None under memcheck, which
  ///                       would take what is left in them for references.
  void init(ExtentPool* extents, unsigned refill_caches, int64_t dirty_decay_ms) noexcept;

  /// Takes up to `want` blocks of a class in ascending order of age.
  /// \returns how many there was memory for.
  size_t take(detail::SizeClass c, void** blocks, size_t want) noexcept;
  void give(detail::SizeClass c, void* const* blocks, size_t count) noexcept;

  /// One zeroed block of a class; cheaper than take() and memset for fresh pages.
  [[nodiscard]] void* take_zeroed(detail::SizeClass c) noexcept;

  /// Blocks that are no class of ours: above kMaxCached, or aligned to more than a page.
  [[nodiscard]] void* take_direct(size_t bytes, size_t alignment, bool zero) noexcept;
  void give_direct(void* block) noexcept;
  /// Moves if it must; nullptr leaves the block as it was.
  [[nodiscard]] void* resize_direct(void* block, size_t bytes) noexcept;
  /// Resizes a block of at least 16 KiB without moving it. \returns its usable size after.
  size_t resize_in_place(void* block, size_t bytes) noexcept;
  [[nodiscard]] static size_t usable_size(const void* block) noexcept;

  /// Empties the refill caches and lets go of all free extents.
  void release_unused() noexcept;
  /// Lets go of all free extents: the ExtentPool has them then, as dirty ones that are whole where neighbours were
  /// free, too; nothing goes to the kernel here. Cost: a call of our hooks for each.
  void release_extents() noexcept;
  /// Lets time-based decay do what is due.
  void decay() noexcept;

  /// In a forked child: an arena that a sibling was just making is made anew.
  void after_fork_in_child() noexcept { create_mutex_.reset_after_fork(); }

  /// Refreshes jemalloc's books. \returns zeros before the first use.
  [[nodiscard]] ArenaStatistics statistics() noexcept;
  /// By small size class, as of the last statistics(). \returns how many rows were written.
  size_t bin_statistics(std::span<BinStatistics> rows) noexcept;
  /// jemalloc's number of the arena; -1 before the first use.
  [[nodiscard]] int index() const noexcept { return number_.load(std::memory_order_acquire) - 1; }

 private:
  struct Hooks {
    extent_hooks_t hooks;  ///< First: jemalloc hands us its address.
    ExtentPool* extents;
  };
  static constexpr unsigned kMaxRefillCaches = 256;
  static constexpr int kNone = -1;

  static void* hook_alloc(extent_hooks_t* hooks, void* at, size_t bytes, size_t alignment,
                          bool* zero, bool* commit, unsigned arena);
  static bool hook_dalloc(extent_hooks_t* hooks, void* start, size_t bytes, bool committed,
                          unsigned arena);
  static void hook_destroy(extent_hooks_t* hooks, void* start, size_t bytes, bool committed,
                           unsigned arena);
  static bool hook_refuse(extent_hooks_t* hooks, void* start, size_t size, size_t offset,
                          size_t bytes, unsigned arena);
  static bool hook_commit(extent_hooks_t* hooks, void* start, size_t size, size_t offset,
                          size_t bytes, unsigned arena);
  static bool hook_split(extent_hooks_t* hooks, void* start, size_t size, size_t below,
                         size_t above, bool committed, unsigned arena);
  static bool hook_merge(extent_hooks_t* hooks, void* below, size_t below_size, void* above,
                         size_t above_size, bool committed, unsigned arena);

  [[nodiscard]] bool ready() noexcept { return index() != kNone || create(); }
  bool create() noexcept;
  /// A block of this arena, whatever the thread has behind it.
  [[nodiscard]] void* take_one(size_t bytes, int flags) noexcept;
  /// The same for a thread that jemalloc has cleaned up: a key destructor that runs after jemalloc's. There it takes every
  /// new block from an arena of its own, out of our ranges, but where it moves a block it heeds the arena that is named:
  /// so a block of another class is moved here.
  [[nodiscard]] void* take_late(size_t bytes, int flags) noexcept;
  [[nodiscard]] int arena_flags() const noexcept {
    return MALLOCX_ARENA(static_cast<unsigned>(index()));
  }
  /// Takes a refill cache for the length of a batch. \returns its slot, or kNone: then the arena is asked directly.
  int begin_batch() noexcept;
  void end_batch(int slot) noexcept;
  [[nodiscard]] int batch_flags(int slot) const noexcept {
    return slot == kNone ? MALLOCX_TCACHE_NONE : MALLOCX_TCACHE(cache_ids_[slot]);
  }

  Hooks hooks_{};
  std::atomic<int> number_{0};  ///< index() + 1, so that an arena that was never used is all zeros.
  Mutex create_mutex_;
  int64_t dirty_decay_ms_ = 0;

  // The pool of refill caches: a Treiber stack of slot numbers, {tag, slot + 1}; the tag makes a slot that was taken
  // and put back in between visible to the compare-and-swap.
  alignas(64) std::atomic<uint64_t> free_caches_{0};
  std::atomic<unsigned> caches_made_{0};
  unsigned max_caches_ = 0;
  unsigned cache_ids_[kMaxRefillCaches] = {};
  std::atomic<uint32_t> next_[kMaxRefillCaches] = {};
};

}  // namespace numaheap::alloc

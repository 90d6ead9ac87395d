/// \file
/// Heap: the process' one heap. Placements (a range, its extents, arena and transfer cache each), the threads' states,
/// and how they come to be.
///
/// It starts inside the first malloc, possibly before constructors: it is constant-initialised, allocates only from
/// the kernel, and never ends. Lock order: start_ < jemalloc's locks < ExtentPool < MetaPool; the registry's lock is
/// taken with none of them held.

#pragma once

#include <atomic>
#include <cstddef>

#include "extent_pool.hpp"
#include "jemalloc/node_arena.hpp"
#include "meta_pool.hpp"
#include "numaheap/base/mutex.hpp"
#include "numaheap/numa/address_space.hpp"
#include "numaheap/numa/machine.hpp"
#include "numaheap/placement.hpp"
#include "settings.hpp"
#include "thread_state.hpp"
#include "transfer_cache.hpp"

namespace numaheap::alloc {

inline constexpr unsigned kNoPlacement = numa::AddressSpace::kMaxRanges;

struct PlacementHeap {
  NodeId node;  ///< kNoNode for interleaved and weighted ranges.
  numa::Placing placing = numa::Placing::kNode;
  ExtentPool extents;
  NodeArena arena;
  TransferCache transfer;
  std::atomic<uint8_t> spill_order[numa::AddressSpace::kMaxRanges] =
      {};  ///< Other placements, nearest first.
  std::atomic<unsigned> spill_count{0};
  std::atomic<uint64_t> spilled_bytes{0};
  std::atomic<size_t> grown_at_look{0};  ///< extents.grown() when merge_if_growing() last looked.
  alignas(64) std::atomic<int64_t> published_live{0};
};

class Heap {
 public:
  constexpr Heap() = default;

  /// Starts the heap if it has not been. \returns false if it cannot start (no address space at all).
  [[nodiscard]] bool started() noexcept {
    // acquire: pairs with the release at the end of start().
    const State state = state_.load(std::memory_order_acquire);
    return state == State::kStarted || (state == State::kNew && start());
  }
  [[nodiscard]] bool is_started() const noexcept {
    return state_.load(std::memory_order_acquire) == State::kStarted;
  }
  /// \pre started().
  [[nodiscard]] bool system_backend() const noexcept { return settings_.system_backend; }
  [[nodiscard]] const Settings& settings() const noexcept { return settings_; }
  /// Nothing is cached: valgrind wants to be told of every block.
  [[nodiscard]] bool under_valgrind() const noexcept { return under_valgrind_; }

  [[nodiscard]] const numa::AddressSpace& space() const noexcept { return space_; }
  [[nodiscard]] unsigned placement_count() const noexcept { return placement_count_; }
  [[nodiscard]] PlacementHeap& placement(unsigned index) noexcept;
  /// The index of a placement, kNoPlacement if the node does not exist or may not be used.
  [[nodiscard]] unsigned index_of(Placement placement) const noexcept;
  /// The placement that serves a thread on this node: its own, or the nearest that has one.
  [[nodiscard]] unsigned home_of_node(NodeId node) const noexcept {
    return node.value < kMaxNodes ? home_of_node_[node.value] : 0;
  }
  /// The placement whose range holds an address that may belong to a block; kNoPlacement for others.
  [[nodiscard]] unsigned placement_of(const void* address) const noexcept {
    const auto value = reinterpret_cast<uintptr_t>(address);
    const size_t range = space_.range_of(value);
    if (range >= placement_count_ || value < space_.base()) return kNoPlacement;
    const auto index = static_cast<unsigned>(range);
    return value - space_.range_start(index) < space_.opened(index).value ? index : kNoPlacement;
  }
  [[nodiscard]] std::atomic<detail::SizeClass>* page_map() const noexcept {
    return static_cast<std::atomic<detail::SizeClass>*>(space_.side_table());
  }
  /// What the page map says of an address. \pre placement_of(address) != kNoPlacement.
  [[nodiscard]] detail::SizeClass class_at(const void* address) const noexcept {
    const uintptr_t page =
        (reinterpret_cast<uintptr_t>(address) - space_.base()) >> detail::kPageShift;
    return page_map()[page].load(
        std::memory_order_relaxed);  // relaxed: written before the block was handed out
  }
  /// Notes that a block of `bytes` bytes and class `c` starts here, and that its other pages hold no start of one.
  void mark_block(const void* block, detail::SizeClass c, size_t bytes) noexcept;

  // --- threads ---

  /// The calling thread's state, made or adopted at its first slow path. nullptr: no memory for one.
  [[nodiscard]] ThreadState* adopt_thread_state() noexcept;
  /// Empties a state and leaves it to the next thread.
  void release_thread_state(ThreadState* state) noexcept;
  /// The state's cache for a placement, made at first use. nullptr: no memory.
  [[nodiscard]] HeapCache* cache_for(ThreadState& state, unsigned placement) noexcept;
  /// All states ever made, linked by next_registered. acquire: pairs with the release that registered them.
  [[nodiscard]] ThreadState* first_state() const noexcept {
    return states_.load(std::memory_order_acquire);
  }
  [[nodiscard]] unsigned threads() const noexcept {
    return threads_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] MetaPool& meta_pool() noexcept { return meta_pool_; }

  // --- fork(2), called by its handlers ---
  void before_fork() noexcept;
  void after_fork_in_parent() noexcept;
  void after_fork_in_child(ThreadState* survivor) noexcept;

 private:
  enum class State { kNew, kStarted, kFailed };

  bool start() noexcept;
  bool reserve_placements(const numa::Machine& machine) noexcept;
  void report_placements() const noexcept;
  void order_spills(const numa::Machine& machine) noexcept;

  std::atomic<State> state_{State::kNew};
  Mutex start_mutex_;
  Settings settings_;
  bool under_valgrind_ = false;
  numa::AddressSpace space_;
  unsigned placement_count_ = 0;
  unsigned node_placements_ = 0;  ///< The first so many placements are nodes.
  uint8_t home_of_node_[kMaxNodes] = {};
  MetaPool meta_pool_;

  Mutex registry_mutex_;
  ThreadState* free_states_ NH_GUARDED_BY(registry_mutex_) = nullptr;
  std::atomic<ThreadState*> states_{nullptr};
  std::atomic<unsigned> threads_{0};
};

extern constinit Heap g_heap;
/// All zeros until a placement is in use, and apart from the rest, so that they take no room in the file.
extern constinit PlacementHeap g_placements[numa::AddressSpace::kMaxRanges];

inline PlacementHeap& Heap::placement(unsigned index) noexcept { return g_placements[index]; }

}  // namespace numaheap::alloc

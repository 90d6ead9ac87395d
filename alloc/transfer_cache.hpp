/// \file
/// TransferCache: where whole batches of one placement's blocks change hands between threads, per size class a
/// lock-free stack of magazines.
///
/// A magazine is an array of pointers; pushing or popping one moves up to kMagazineBlocks blocks with one
/// compare-and-swap. Magazines are named by number, so that a stack's head is
/// one word: {tag, number + 1}. The tag grows at every change and makes an A-B-A visible; no 16-byte operation is
/// needed. A magazine belongs to the thread that popped it until it is pushed again, so its fields need no atomics but
/// `next`, which a slower thread may still read. Source: R. Treiber, "Systems Programming: Coping with Parallelism";
/// J. Bonwick, "Magazines and Vmem".
///
/// fork(2): a stack is whole at any instant; what a sibling held popped is lost to the child, nothing else.
/// Threads: any.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "meta_pool.hpp"
#include "numaheap/base/bytes.hpp"
#include "numaheap/base/mutex.hpp"
#include "numaheap/detail/size_class.hpp"

namespace numaheap::alloc {

inline constexpr unsigned kMagazineBlocks = 126;

struct Magazine {
  std::atomic<uint32_t> next;  ///< Number + 1 of the one below in the stack.
  uint32_t count;
  void* blocks[kMagazineBlocks];
};
static_assert(sizeof(Magazine) == 1016);

/// How many blocks of a class change hands at once: 64 KiB of them, at least one.
constexpr unsigned batch_of(detail::SizeClass c) {
  const size_t blocks = (size_t{64} << 10) / detail::kClassSizes[c];
  return blocks > kMagazineBlocks ? kMagazineBlocks
         : blocks < 1             ? 1
                                  : static_cast<unsigned>(blocks);
}

class TransferCache {
 public:
  constexpr TransferCache() = default;

  /// \param bound  the most bytes of blocks to hold.
  void init(Bytes bound, MetaPool* pool) noexcept;

  /// Takes a magazine's blocks. \returns how many were written to `blocks` (at most batch_of(c)); 0 if there is none.
  size_t take(detail::SizeClass c, void** blocks) noexcept;
  /// Takes over `count` <= batch_of(c) blocks. \returns false if the bound is reached: the caller keeps them.
  [[nodiscard]] bool give(detail::SizeClass c, void* const* blocks, size_t count) noexcept;

  [[nodiscard]] Bytes held() const noexcept { return Bytes{held_.load(std::memory_order_relaxed)}; }
  [[nodiscard]] Bytes bound() const noexcept { return bound_; }

  /// Ageing: whether the class had blocks that nobody wanted since the last call for it. Racy by design: a hint.
  [[nodiscard]] bool idle_since_last_look(detail::SizeClass c) noexcept;

 private:
  /// One cache line each: threads of a node meet here.
  struct alignas(64) Stack {
    std::atomic<uint64_t> head{0};
    std::atomic<uint32_t> last_tag{0};  ///< The tag at the last look of the ageing tick.
  };

  /// Magazines are made 64 at a time; a chunk is never given back.
  static constexpr uint32_t kChunk = 64;
  static constexpr uint32_t kMostMagazines = 128 * 1024;
  static_assert(kChunk * sizeof(Magazine) <= MetaPool::kLargest);

  /// Magazines go by their number; 0 is none.
  [[nodiscard]] uint32_t pop(Stack& stack) noexcept;
  void push(Stack& stack, uint32_t number) noexcept;
  [[nodiscard]] uint32_t new_magazine() noexcept;
  [[nodiscard]] bool have_chunk(uint32_t index) noexcept;
  [[nodiscard]] Magazine& magazine(uint32_t number) noexcept {
    // acquire: pairs with the release that put the chunk there.
    return chunks_[(number - 1) / kChunk].load(std::memory_order_acquire)[(number - 1) % kChunk];
  }

  Stack stacks_[detail::kClassCount];
  Stack empty_;
  alignas(64) std::atomic<size_t> held_{0};
  Bytes bound_;
  MetaPool* pool_ = nullptr;
  std::atomic<uint32_t> made_{0};
  std::atomic<Magazine*> chunks_[kMostMagazines / kChunk] = {};
};

}  // namespace numaheap::alloc

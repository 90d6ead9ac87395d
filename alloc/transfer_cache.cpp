#include "transfer_cache.hpp"

#include <cstring>
#include <new>

namespace numaheap::alloc {

namespace {

/// Another thread had the block: its line is fetched while the caller still works on the ones before it.
void prefetch_for_writing(const void* block) noexcept {
#if defined(__x86_64__)
  // Compilers emit this instruction only for some processors, though all of 64 bits take it.
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(block)));
#else
  __builtin_prefetch(block, 1);
#endif
}

}  // namespace

void TransferCache::init(Bytes bound, MetaPool* pool) noexcept {
  bound_ = bound;
  pool_ = pool;
}

uint32_t TransferCache::pop(Stack& stack) noexcept {
  // acquire: pairs with the release in push(); the magazine's contents and `next` are seen.
  uint64_t head = stack.head.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(head) != 0) {
    const auto number = static_cast<uint32_t>(head);
    const uint64_t below =
        ((head >> 32) + 1) << 32 | magazine(number).next.load(std::memory_order_relaxed);
    if (stack.head.compare_exchange_weak(head, below, std::memory_order_acquire)) return number;
  }
  return 0;
}

void TransferCache::push(Stack& stack, uint32_t number) noexcept {
  uint64_t head = stack.head.load(std::memory_order_relaxed);
  uint64_t mine;
  do {
    magazine(number).next.store(static_cast<uint32_t>(head), std::memory_order_relaxed);
    mine = ((head >> 32) + 1) << 32 | number;
    // release: pairs with the acquire in pop().
  } while (!stack.head.compare_exchange_weak(head, mine, std::memory_order_release,
                                             std::memory_order_relaxed));
}

bool TransferCache::have_chunk(uint32_t index) noexcept {
  std::atomic<Magazine*>& chunk = chunks_[index];
  if (chunk.load(std::memory_order_acquire) != nullptr) return true;
  void* memory = pool_->allocate(kChunk * sizeof(Magazine));
  if (memory == nullptr) return false;
  Magazine* fresh = new (memory) Magazine[kChunk]{};
  Magazine* none = nullptr;
  // release: pairs with the acquire in magazine(). Whoever comes second gives its chunk back.
  if (!chunk.compare_exchange_strong(none, fresh, std::memory_order_release,
                                     std::memory_order_acquire)) {
    pool_->deallocate(memory, kChunk * sizeof(Magazine));
  }
  return true;
}

uint32_t TransferCache::new_magazine() noexcept {
  if (const uint32_t number = pop(empty_); number != 0) return number;
  uint32_t index = made_.load(std::memory_order_relaxed);
  do {
    if (index >= kMostMagazines || !have_chunk(index / kChunk)) return 0;
    // relaxed: the chunk is published by its own pointer.
  } while (!made_.compare_exchange_weak(index, index + 1, std::memory_order_relaxed));
  return index + 1;
}

size_t TransferCache::take(detail::SizeClass c, void** blocks) noexcept {
  const uint32_t number = pop(stacks_[c]);
  if (number == 0) return 0;
  const Magazine& full = magazine(number);
  const size_t count = full.count;
  memcpy(blocks, full.blocks, count * sizeof(void*));
  for (size_t i = count; i > 0; --i) prefetch_for_writing(blocks[i - 1]);  // the last goes first
  push(empty_, number);
  held_.fetch_sub(count * detail::kClassSizes[c], std::memory_order_relaxed);
  return count;
}

bool TransferCache::give(detail::SizeClass c, void* const* blocks, size_t count) noexcept {
  const size_t bytes = count * detail::kClassSizes[c];
  if (held_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= bound_.value) {
    if (const uint32_t number = new_magazine(); number != 0) {
      Magazine& mine = magazine(number);
      mine.count = static_cast<uint32_t>(count);
      memcpy(mine.blocks, blocks, count * sizeof(void*));
      push(stacks_[c], number);
      return true;
    }
  }
  held_.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

bool TransferCache::idle_since_last_look(detail::SizeClass c) noexcept {
  Stack& stack = stacks_[c];
  const uint64_t head = stack.head.load(std::memory_order_relaxed);
  const auto tag = static_cast<uint32_t>(head >> 32);
  const bool idle =
      static_cast<uint32_t>(head) != 0 && stack.last_tag.load(std::memory_order_relaxed) == tag;
  stack.last_tag.store(tag, std::memory_order_relaxed);
  return idle;
}

}  // namespace numaheap::alloc

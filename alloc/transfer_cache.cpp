#include "transfer_cache.hpp"

#include <sys/mman.h>

#include <cstring>

namespace numaheap::alloc {

bool TransferCache::init(Bytes bound) noexcept {
  bound_ = bound;
  // The worst case is one block of the smallest class to a magazine; that many are not worth reserving: when
  // magazines run out, blocks go to the arena.
  const size_t wanted = bound.value / 1024 + 4096;
  const size_t bytes = wanted * sizeof(Magazine);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  magazines_ = static_cast<Magazine*>(memory);
  capacity_ = static_cast<uint32_t>(wanted);
  return true;
}

Magazine* TransferCache::pop(Stack& stack) noexcept {
  // acquire: pairs with the release in push(); the magazine's contents and `next` are seen.
  uint64_t head = stack.head.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(head) != 0) {
    Magazine* magazine = &magazines_[static_cast<uint32_t>(head) - 1];
    const uint64_t below =
        ((head >> 32) + 1) << 32 | magazine->next.load(std::memory_order_relaxed);
    if (stack.head.compare_exchange_weak(head, below, std::memory_order_acquire)) return magazine;
  }
  return nullptr;
}

void TransferCache::push(Stack& stack, Magazine* magazine) noexcept {
  const auto number = static_cast<uint32_t>(magazine - magazines_) + 1;
  uint64_t head = stack.head.load(std::memory_order_relaxed);
  uint64_t mine;
  do {
    magazine->next.store(static_cast<uint32_t>(head), std::memory_order_relaxed);
    mine = ((head >> 32) + 1) << 32 | number;
    // release: pairs with the acquire in pop().
  } while (!stack.head.compare_exchange_weak(head, mine, std::memory_order_release,
                                             std::memory_order_relaxed));
}

Magazine* TransferCache::new_magazine() noexcept {
  if (Magazine* magazine = pop(empty_); magazine != nullptr) return magazine;
  if (made_.load(std::memory_order_relaxed) >= capacity_) return nullptr;
  const uint32_t number = made_.fetch_add(1, std::memory_order_relaxed);
  return number < capacity_ ? &magazines_[number] : nullptr;
}

size_t TransferCache::take(detail::SizeClass c, void** blocks) noexcept {
  Magazine* magazine = pop(stacks_[c]);
  if (magazine == nullptr) return 0;
  const size_t count = magazine->count;
  memcpy(blocks, magazine->blocks, count * sizeof(void*));
  push(empty_, magazine);
  held_.fetch_sub(count * detail::kClassSizes[c], std::memory_order_relaxed);
  return count;
}

bool TransferCache::give(detail::SizeClass c, void* const* blocks, size_t count) noexcept {
  const size_t bytes = count * detail::kClassSizes[c];
  if (held_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= bound_.value) {
    if (Magazine* magazine = new_magazine(); magazine != nullptr) {
      magazine->count = static_cast<uint32_t>(count);
      memcpy(magazine->blocks, blocks, count * sizeof(void*));
      push(stacks_[c], magazine);
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

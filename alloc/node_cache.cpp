#include "node_cache.hpp"

#include <cstring>

#include "accounting.hpp"
#include "numaheap/base/check.hpp"
#include "probes.hpp"

namespace numaheap::alloc {

namespace {

using detail::Bin;
using detail::kClassSizes;
using detail::SizeClass;

constexpr unsigned kMostSlots = 2047;  // and the null guard: an array of 2048
constexpr unsigned kMostMagazinesAFill =
    4;  // so that a consumer's fill does not drain what others need

/// Slots of the smallest array that holds `blocks` and its guard.
unsigned slots_for(unsigned blocks) noexcept {
  unsigned words = MetaPool::kSmallest / sizeof(void*);
  while (words - 1 < blocks) words *= 2;
  return words - 1;
}

size_t capacity_of(const Bin& bin) noexcept {
  return static_cast<size_t>(bin.limit - bin.base.load(std::memory_order_relaxed));
}

void set_capacity(ThreadState& thread, Bin& bin, SizeClass c, size_t blocks) noexcept {
  thread.capacity_bytes +=
      (blocks - capacity_of(bin)) * kClassSizes[c];  // may wrap down: modulo arithmetic
  bin.limit = bin.base.load(std::memory_order_relaxed) + blocks;
}

/// Takes half of the unused capacity of the next few bins in turn, until `wanted` bytes are won. A thread that is at its
/// bound comes here at every miss, so it looks at a few and goes on from there the next time.
/// \returns the bytes won.
size_t reclaim_capacity(ThreadState& thread, HeapCache& cache, SizeClass except,
                        size_t wanted) noexcept {
  constexpr unsigned kLooks = 8;
  size_t won = 0;
  for (unsigned i = 0; i < kLooks && won < wanted; ++i) {
    if (++thread.next_victim >= detail::kClassCount) thread.next_victim = detail::kFirstClass;
    const SizeClass victim = thread.next_victim;
    Bin& bin = cache.bins[victim];
    const size_t capacity = capacity_of(bin);
    const size_t unused = capacity - bin_count(bin);
    if (victim == except || unused == 0) continue;
    const size_t less = (unused + 1) / 2;
    set_capacity(thread, bin, victim, capacity - less);
    won += less * kClassSizes[victim];
  }
  return won;
}

/// Gives the bin an array for `blocks` blocks. \returns false if there is no memory.
bool resize_array(HeapCache& cache, SizeClass c, unsigned blocks) noexcept {
  ClassBooks& books = cache.books[c];
  const unsigned slots = slots_for(blocks);
  if (slots <= books.slots) return true;
  MetaPool& pool = g_heap.meta_pool();
  auto** array = static_cast<void**>(pool.allocate((slots + 1) * sizeof(void*)));
  if (array == nullptr) return false;
  Bin& bin = cache.bins[c];
  void** const old_base = bin.base.load(std::memory_order_relaxed);
  const size_t count = bin_count(bin);
  const size_t capacity = books.slots == 0 ? 0 : capacity_of(bin);
  array[0] = nullptr;
  memcpy(array + 1, old_base, count * sizeof(void*));
  bin.base.store(array + 1, std::memory_order_relaxed);
  bin.top.store(array + 1 + count, std::memory_order_relaxed);
  bin.limit = array + 1 + capacity;
  if (books.slots != 0) pool.deallocate(old_base - 1, (books.slots + 1u) * sizeof(void*));
  books.slots = static_cast<uint16_t>(slots);
  mark_used(cache, c);
  return true;
}

/// Doubles a bin's capacity within the bounds of its class and its thread. \returns whether it grew.
bool grow(ThreadState& thread, HeapCache& cache, SizeClass c) noexcept {
  Bin& bin = cache.bins[c];
  const size_t capacity = cache.books[c].slots == 0 ? 0 : capacity_of(bin);
  const unsigned most = most_blocks(&cache == thread.home, c);
  if (capacity >= most) return false;
  const size_t first = batch_of(c);
  size_t wanted = capacity == 0 ? first : 2 * capacity;
  if (wanted > most) wanted = most;
  const size_t budget = g_heap.settings().thread_cache.value;
  const size_t more = (wanted - capacity) * kClassSizes[c];
  if (thread.capacity_bytes + more > budget) {
    if (reclaim_capacity(thread, cache, c, more) < more && capacity != 0) return false;
  }
  if (!resize_array(cache, c, static_cast<unsigned>(wanted))) return false;
  set_capacity(thread, bin, c, wanted);
  return true;
}

void append(HeapCache& cache, SizeClass c, size_t count) noexcept {
  Bin& bin = cache.bins[c];
  bin.top.store(bin.top.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  count_filled(cache, c, count);
}

}  // namespace

unsigned most_blocks(bool home, SizeClass c) noexcept {
  if (!home) return batch_of(c);
  const size_t blocks = g_heap.settings().thread_cache.value / kClassSizes[c];
  return blocks > kMostSlots ? kMostSlots : blocks < 1 ? 1 : static_cast<unsigned>(blocks);
}

bool fill_bin(ThreadState& thread, HeapCache& cache, SizeClass c) noexcept {
  grow(thread, cache, c);
  Bin& bin = cache.bins[c];
  if (cache.books[c].slots == 0) return false;  // no memory for an array
  PlacementHeap& placement = g_heap.placement(cache.placement);
  const size_t capacity = capacity_of(bin) != 0 ? capacity_of(bin) : 1;
  const size_t room = capacity - bin_count(bin);
  const size_t batch = batch_of(c);

  if (cache.books[c].slots - bin_count(bin) >= batch) {
    size_t got = 0;
    for (unsigned i = 0;
         i < kMostMagazinesAFill && (i == 0 || (room - got >= batch && got < room / 2)); ++i) {
      const size_t count = placement.transfer.take(c, bin.top.load(std::memory_order_relaxed));
      if (count == 0) break;
      append(cache, c, count);
      got += count;
    }
    if (got != 0) {
      if (bin.top.load(std::memory_order_relaxed) > bin.limit)
        set_capacity(thread, bin, c, bin_count(bin));
      probe::refill(cache.placement, kClassSizes[c], got);
      return true;
    }
  }

  ClassBooks& books = cache.books[c];
  if (books.next_fill == 0) {
    const size_t page_full = detail::kPage / kClassSizes[c];
    books.next_fill = static_cast<uint16_t>(page_full > 16 ? 16 : page_full < 1 ? 1 : page_full);
  }
  size_t want = books.next_fill < room ? books.next_fill : room;
  // Large blocks take the arena's extent path one by one: no more of them than are asked for.
  if (kClassSizes[c] > detail::kMaxSmall || want == 0) want = 1;
  if (books.next_fill < batch)
    books.next_fill = static_cast<uint16_t>(
        size_t{2} * books.next_fill < batch ? size_t{2} * books.next_fill : batch);
  void** const top = bin.top.load(std::memory_order_relaxed);
  const size_t got = placement.arena.take(c, top, want);
  for (size_t i = 0; i < got; ++i) g_heap.mark_block(top[i], c, kClassSizes[c]);
  for (size_t i = 0, j = got; i + 1 < j;
       ++i) {  // so that the lowest addresses are handed out first
    --j;
    void* const block = top[i];
    top[i] = top[j];
    top[j] = block;
  }
  append(cache, c, got);
  probe::refill(cache.placement, kClassSizes[c], got);
  return got != 0;
}

void make_room(ThreadState& thread, HeapCache& cache, SizeClass c) noexcept {
  Bin& bin = cache.bins[c];
  if (bin.top.load(std::memory_order_relaxed) < bin.limit || grow(thread, cache, c)) return;
  const size_t count = bin_count(bin);
  const size_t batch = batch_of(c);
  // An outgoing bin holds one batch and goes as a whole; a deep one loses its older half, in whole batches.
  size_t out = &cache == thread.home ? count / 2 : count;
  if (out > batch) out -= out % batch;
  if (out == 0) out = count;
  if (&cache != thread.home) {
    add(cache.freed_here_bytes, out * kClassSizes[c]);
    probe::remote_free(cache.placement, out * kClassSizes[c]);
  }
  flush_bin(cache, c, out);
  if (bin.top.load(std::memory_order_relaxed) == bin.limit && cache.books[c].slots != 0) {
    set_capacity(
        thread, bin, c,
        bin_count(bin) + 1);  // squeezed to nothing by the thread's bound: one block is held
  }
}

void flush_bin(HeapCache& cache, SizeClass c, size_t count) noexcept {
  if (count == 0) return;
  Bin& bin = cache.bins[c];
  PlacementHeap& placement = g_heap.placement(cache.placement);
  void** const base = bin.base.load(std::memory_order_relaxed);
  const size_t batch = batch_of(c);
  size_t done = 0;
  while (done < count) {
    const size_t now = count - done < batch ? count - done : batch;
    if (!placement.transfer.give(c, base + done, now)) break;
    done += now;
  }
  if (done < count) give_to_arena(placement, c, base + done, count - done);
  const size_t kept = bin_count(bin) - count;
  memmove(base, base + count, kept * sizeof(void*));
  bin.top.store(base + kept, std::memory_order_relaxed);
  count_returned(cache, c, count);
  probe::flush(cache.placement, kClassSizes[c], count);
}

Bytes flush_cache(HeapCache& cache) noexcept {
  Bytes total;
  for_each_used_class(cache, [&](SizeClass c) {
    const size_t count = bin_count(cache.bins[c]);
    total += Bytes{kClassSizes[c]} * count;
    flush_bin(cache, c, count);
    settle(cache, c);
  });
  publish(cache, true);
  return total;
}

Bytes flush_thread(ThreadState& thread) noexcept {
  Bytes total;
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    if (HeapCache* cache = thread.caches[i].load(std::memory_order_relaxed); cache != nullptr)
      total += flush_cache(*cache);
  }
  return total;
}

void leave_caches(ThreadState& thread) noexcept {
  flush_thread(thread);
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    HeapCache* cache = thread.caches[i].load(std::memory_order_relaxed);
    if (cache == nullptr) continue;
    for_each_used_class(*cache, [&](SizeClass c) { set_capacity(thread, cache->bins[c], c, 0); });
  }
}

void settle_thread(ThreadState& thread) noexcept {
  for (unsigned i = 0; i < g_heap.placement_count(); ++i) {
    HeapCache* cache = thread.caches[i].load(std::memory_order_relaxed);
    if (cache == nullptr) continue;
    for_each_used_class(*cache, [&](SizeClass c) { settle(*cache, c); });
    publish(*cache, true);
  }
}

void make_outgoing(ThreadState& thread, HeapCache& cache) noexcept {
  flush_cache(cache);
  for_each_used_class(cache, [&](SizeClass c) {
    if (capacity_of(cache.bins[c]) > batch_of(c))
      set_capacity(thread, cache.bins[c], c, batch_of(c));
  });
}

void age_cache(ThreadState& thread, HeapCache& cache) noexcept {
  for_each_used_class(cache, [&](SizeClass c) {
    ClassBooks& books = cache.books[c];
    const size_t count = bin_count(cache.bins[c]);
    const uint64_t flow = books.filled.load(std::memory_order_relaxed) +
                          books.returned.load(std::memory_order_relaxed);
    if (count != 0 && count == books.seen_count && flow == books.seen_flow) {
      flush_bin(cache, c, (count + 1) / 2);
      settle(cache, c);
      const size_t keep = bin_count(cache.bins[c]);
      set_capacity(thread, cache.bins[c], c, keep < batch_of(c) ? batch_of(c) : keep);
      NH_ASSERT(capacity_of(cache.bins[c]) <= books.slots);
    }
    books.seen_count = static_cast<uint32_t>(bin_count(cache.bins[c]));
    books.seen_flow = books.filled.load(std::memory_order_relaxed) +
                      books.returned.load(std::memory_order_relaxed);
  });
}

void give_to_arena(PlacementHeap& placement, SizeClass c, void* const* blocks,
                   size_t count) noexcept {
  if (kClassSizes[c] > detail::kMaxSmall) {
    for (size_t i = 0; i < count; ++i) g_heap.mark_block(blocks[i], detail::kNoBlock, 1);
  }
  placement.arena.give(c, blocks, count);
}

Bytes drain_transfer(PlacementHeap& placement, Bytes budget, bool idle_only) noexcept {
  Bytes done;
  void* blocks[kMagazineBlocks];
  for (unsigned c = detail::kFirstClass; c < detail::kClassCount && done < budget; ++c) {
    const auto size_class = static_cast<SizeClass>(c);
    if (idle_only && !placement.transfer.idle_since_last_look(size_class)) continue;
    while (done < budget) {
      const size_t count = placement.transfer.take(size_class, blocks);
      if (count == 0) break;
      give_to_arena(placement, size_class, blocks, count);
      done += Bytes{kClassSizes[c]} * count;
    }
  }
  return done;
}

void check_invariants(const HeapCache& cache) noexcept {
  for_each_used_class(cache, [&](SizeClass c) {
    const Bin& bin = cache.bins[c];
    void** const base = bin.base.load(std::memory_order_relaxed);
    void** const top = bin.top.load(std::memory_order_relaxed);
    NH_CHECK(base[-1] == nullptr && base <= top && top <= bin.limit);
    NH_CHECK(bin.limit <= base + cache.books[c].slots);
    for (void** slot = base; slot < top; ++slot) {
      NH_CHECK(g_heap.placement_of(*slot) == cache.placement && g_heap.class_at(*slot) == c);
    }
  });
}

}  // namespace numaheap::alloc

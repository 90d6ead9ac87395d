#include "jemalloc/node_arena.hpp"

#include <cstdarg>
#include <cstdio>

#include "numaheap/base/check.hpp"
#include "numaheap/detail/thread_cache.hpp"
#include "valgrind.hpp"

namespace numaheap::alloc {

namespace {

constexpr size_t kLargestRefillClass = size_t{32} << 10;  // jemalloc's own caches hold no more

/// The name of something in jemalloc's control tree.
class ControlName {
 public:
  [[gnu::format(printf, 2, 3)]] ControlName(const char* format, ...) noexcept {
    va_list values;
    va_start(values, format);
    vsnprintf(text_, sizeof text_, format, values);
    va_end(values);
  }
  [[nodiscard]] const char* text() const noexcept { return text_; }

 private:
  char text_[64];
};

/// A number of the control tree; 0 if there is none of that name.
template <class T>
T read_number(const ControlName& name) noexcept {
  T value = 0;
  size_t size = sizeof value;
  return nh_je_mallctl(name.text(), &value, &size, nullptr, 0) == 0 ? value : 0;
}

/// Makes an arena do something. \pre there is such a name.
void act(const ControlName& name, void* argument = nullptr, size_t size = 0) noexcept {
  NH_CHECK(nh_je_mallctl(name.text(), nullptr, nullptr, argument, size) == 0);
}

}  // namespace

// --- extent hooks: the arena's pages come from and go to the ExtentPool ---

void* NodeArena::hook_alloc(extent_hooks_t* hooks, void* at, size_t bytes, size_t alignment,
                            bool* zero, bool* commit, unsigned /*arena*/) {
  const ExtentPool::Taken taken = reinterpret_cast<Hooks*>(hooks)->extents->take(
      bytes, alignment, reinterpret_cast<uintptr_t>(at), *zero);
  if (taken.start == 0) return nullptr;
  // jemalloc's own memory comes in zeroed and aligned pieces of 2 MiB, of which it uses little.
  constexpr size_t kBaseBlock = size_t{2} << 20;
  if (*zero && alignment == kBaseBlock) {
    reinterpret_cast<Hooks*>(hooks)->extents->keep_small_pages(taken.start, bytes);
    valgrind::hidden(taken.start, bytes);
  }
  *zero = taken.zeroed;
  *commit = true;
  return reinterpret_cast<void*>(taken.start);
}

bool NodeArena::hook_dalloc(extent_hooks_t* hooks, void* start, size_t bytes, bool /*committed*/,
                            unsigned /*arena*/) {
  // true would mean "keep it": only when there is no memory to note it down.
  return !reinterpret_cast<Hooks*>(hooks)->extents->give(reinterpret_cast<uintptr_t>(start), bytes,
                                                         true);
}

void NodeArena::hook_destroy(extent_hooks_t* hooks, void* start, size_t bytes, bool committed,
                             unsigned arena) {
  hook_dalloc(hooks, start, bytes, committed, arena);
}

// Purging and decommitting are the ExtentPool's work: refused here, so that the arena hands the extent over instead.
bool NodeArena::hook_refuse(extent_hooks_t*, void*, size_t, size_t, size_t, unsigned) {
  return true;
}
bool NodeArena::hook_commit(extent_hooks_t*, void*, size_t, size_t, size_t, unsigned) {
  return false;
}
bool NodeArena::hook_split(extent_hooks_t*, void*, size_t, size_t, size_t, bool, unsigned) {
  return false;
}
bool NodeArena::hook_merge(extent_hooks_t*, void*, size_t, void*, size_t, bool, unsigned) {
  return false;
}

// --- creation ---

void NodeArena::init(ExtentPool* extents, unsigned refill_caches, int64_t dirty_decay_ms) noexcept {
  hooks_.hooks = {hook_alloc,  hook_dalloc, hook_destroy, hook_commit, hook_refuse,
                  hook_refuse, hook_refuse, hook_split,   hook_merge};
  hooks_.extents = extents;
  max_caches_ = refill_caches < kMaxRefillCaches ? refill_caches : kMaxRefillCaches;
  dirty_decay_ms_ = dirty_decay_ms;
}

bool NodeArena::create() noexcept {
  const MutexLock lock(create_mutex_);
  if (index() != kNone) return true;
  unsigned arena = 0;
  size_t size = sizeof arena;
  extent_hooks_t* hooks = &hooks_.hooks;
  constexpr size_t kPointer = sizeof(void*);  // which is what is handed over
  if (nh_je_mallctl("arenas.create", &arena, &size, &hooks, kPointer) != 0) return false;
  ssize_t decay = dirty_decay_ms_;
  act({"arena.%u.dirty_decay_ms", arena}, &decay, sizeof decay);
  number_.store(static_cast<int>(arena) + 1,
                std::memory_order_release);  // release: pairs with the acquire in index()
  return true;
}

// --- refill caches ---

int NodeArena::begin_batch() noexcept {
  // acquire: pairs with the release in end_batch(); what the last user left in the cache is seen.
  uint64_t head = free_caches_.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(head) != 0) {
    const uint32_t slot = static_cast<uint32_t>(head) - 1;
    const uint64_t next = ((head >> 32) + 1) << 32 | next_[slot].load(std::memory_order_relaxed);
    if (free_caches_.compare_exchange_weak(head, next, std::memory_order_acquire))
      return static_cast<int>(slot);
  }
  if (caches_made_.load(std::memory_order_relaxed) < max_caches_) {
    const unsigned slot = caches_made_.fetch_add(1, std::memory_order_relaxed);
    size_t size = sizeof cache_ids_[0];
    if (slot < max_caches_ &&
        nh_je_mallctl("tcache.create", &cache_ids_[slot], &size, nullptr, 0) == 0) {
      return static_cast<int>(slot);
    }
  }
  return kNone;
}

void NodeArena::end_batch(int slot) noexcept {
  if (slot == kNone) return;
  uint64_t head = free_caches_.load(std::memory_order_relaxed);
  uint64_t mine;
  do {
    next_[slot].store(static_cast<uint32_t>(head), std::memory_order_relaxed);
    mine = ((head >> 32) + 1) << 32 | static_cast<uint32_t>(slot + 1);
    // release: pairs with the acquire in begin_batch(); publishes next_, cache_ids_ and the cache's contents.
  } while (!free_caches_.compare_exchange_weak(head, mine, std::memory_order_release,
                                               std::memory_order_relaxed));
}

// --- blocks of a class ---

void* NodeArena::take_one(size_t bytes, int flags) noexcept {
  void* block = nh_je_mallocx(bytes, flags);
  if (block == nullptr || hooks_.extents->owns(block)) return block;
  nh_je_dallocx(block, MALLOCX_TCACHE_NONE);
  return take_late(bytes, flags);
}

void* NodeArena::take_late(size_t bytes, int flags) noexcept {
  // No refill cache, which must hold nothing of elsewhere: the bits of MALLOCX_TCACHE() are replaced.
  flags = (flags & ~(0xfff << 8)) | MALLOCX_TCACHE_NONE;
  constexpr size_t kSmallest = detail::size_of_class(detail::kFirstClass);
  const bool is_smallest = nh_je_nallocx(bytes, flags) == kSmallest;
  void* seed = nh_je_mallocx(is_smallest ? 2 * kSmallest : kSmallest,
                             MALLOCX_TCACHE_NONE | (flags & MALLOCX_ZERO));
  if (seed == nullptr) return nullptr;
  void* block = nh_je_rallocx(seed, bytes, flags);
  if (block == nullptr) block = seed;
  if (hooks_.extents->owns(block)) return block;
  nh_je_dallocx(block, MALLOCX_TCACHE_NONE);
  return nullptr;
}

size_t NodeArena::take(detail::SizeClass c, void** blocks, size_t want) noexcept {
  if (!ready()) return 0;
  const int batch = detail::kClassSizes[c] <= kLargestRefillClass ? begin_batch() : kNone;
  const int flags = arena_flags() | batch_flags(batch);
  size_t taken = 0;
  while (taken < want) {
    void* block = take_one(detail::kClassSizes[c], flags);
    if (block == nullptr) break;
    blocks[taken++] = block;
  }
  end_batch(batch);
  return taken;
}

void NodeArena::give(detail::SizeClass c, void* const* blocks, size_t count) noexcept {
  const int batch = detail::kClassSizes[c] <= kLargestRefillClass ? begin_batch() : kNone;
  const int flags = batch_flags(batch);
  for (size_t i = 0; i < count; ++i) {
    detail::unpoison(blocks[i], detail::kClassSizes[c]);  // jemalloc clears and copies what it has
    nh_je_sdallocx(blocks[i], detail::kClassSizes[c], flags);
  }
  end_batch(batch);
}

void* NodeArena::take_zeroed(detail::SizeClass c) noexcept {
  if (!ready()) return nullptr;
  return take_one(detail::kClassSizes[c], arena_flags() | MALLOCX_TCACHE_NONE | MALLOCX_ZERO);
}

// --- blocks of no class ---

void* NodeArena::take_direct(size_t bytes, size_t alignment, bool zero) noexcept {
  if (!ready()) return nullptr;
  int flags = arena_flags() | MALLOCX_TCACHE_NONE | (zero ? MALLOCX_ZERO : 0);
  if (alignment > 16) flags |= MALLOCX_ALIGN(alignment);
  return take_one(bytes, flags);
}

void NodeArena::give_direct(void* block) noexcept { nh_je_dallocx(block, MALLOCX_TCACHE_NONE); }

void* NodeArena::resize_direct(void* block, size_t bytes) noexcept {
  // The arena must be named, or the block leaves its range.
  return nh_je_rallocx(block, bytes, arena_flags() | MALLOCX_TCACHE_NONE);
}

size_t NodeArena::resize_in_place(void* block, size_t bytes) noexcept {
  return nh_je_xallocx(block, bytes, 0, arena_flags() | MALLOCX_TCACHE_NONE);
}

size_t NodeArena::usable_size(const void* block) noexcept { return nh_je_sallocx(block, 0); }

// --- giving back, and figures ---

void NodeArena::release_unused() noexcept {
  if (index() == kNone) return;
  // Take every refill cache that is at rest out of the pool, empty it, and put all back.
  int slots[kMaxRefillCaches];
  unsigned count = 0;
  while (count < max_caches_ &&
         static_cast<uint32_t>(free_caches_.load(std::memory_order_relaxed)) != 0) {
    slots[count] = begin_batch();
    if (slots[count] == kNone) break;
    ++count;
  }
  for (unsigned i = 0; i < count; ++i) {
    NH_CHECK(nh_je_mallctl("tcache.flush", nullptr, nullptr, &cache_ids_[slots[i]],
                           sizeof cache_ids_[0]) == 0);
    end_batch(slots[i]);
  }
  release_extents();
}

void NodeArena::release_extents() noexcept {
  if (index() == kNone) return;
  act(ControlName("arena.%d.purge", index()));
}

void NodeArena::decay() noexcept {
  if (index() == kNone) return;
  act(ControlName("arena.%d.decay", index()));
}

ArenaStatistics NodeArena::statistics() noexcept {
  ArenaStatistics result{};
  const int arena = index();
  if (arena == kNone) return result;
  uint64_t epoch = 1;
  size_t size = sizeof epoch;
  nh_je_mallctl("epoch", &epoch, &size, &epoch, size);
  constexpr size_t kPage = detail::kPage;
  result.allocated.value = read_number<size_t>({"stats.arenas.%d.small.allocated", arena}) +
                           read_number<size_t>({"stats.arenas.%d.large.allocated", arena});
  result.active.value = read_number<size_t>({"stats.arenas.%d.pactive", arena}) * kPage;
  result.dirty.value = read_number<size_t>({"stats.arenas.%d.pdirty", arena}) * kPage;
  result.muzzy.value = read_number<size_t>({"stats.arenas.%d.pmuzzy", arena}) * kPage;
  result.resident.value = read_number<size_t>({"stats.arenas.%d.resident", arena});
  result.mapped.value = read_number<size_t>({"stats.arenas.%d.mapped", arena});
  result.retained.value = read_number<size_t>({"stats.arenas.%d.retained", arena});
  result.metadata.value = read_number<size_t>({"stats.arenas.%d.base", arena}) +
                          read_number<size_t>({"stats.arenas.%d.internal", arena});
  BinStatistics bins[64];
  const size_t count = bin_statistics(bins);
  for (const BinStatistics& bin : std::span(bins).first(count)) {
    result.small_waste.value += (bin.slabs * bin.blocks_per_slab - bin.blocks) * bin.block_bytes;
  }
  return result;
}

size_t NodeArena::bin_statistics(std::span<BinStatistics> rows) noexcept {
  const int arena = index();
  if (arena == kNone) return 0;
  const size_t bins = read_number<unsigned>({"arenas.nbins"});
  for (size_t i = 0; i < bins && i < rows.size(); ++i) {
    rows[i].block_bytes = read_number<size_t>({"arenas.bin.%zu.size", i});
    rows[i].blocks_per_slab = read_number<uint32_t>({"arenas.bin.%zu.nregs", i});
    rows[i].slab_bytes = read_number<size_t>({"arenas.bin.%zu.slab_size", i});
    rows[i].blocks = read_number<size_t>({"stats.arenas.%d.bins.%zu.curregs", arena, i});
    rows[i].slabs = read_number<size_t>({"stats.arenas.%d.bins.%zu.curslabs", arena, i});
    rows[i].nonfull_slabs =
        read_number<size_t>({"stats.arenas.%d.bins.%zu.nonfull_slabs", arena, i});
  }
  return bins < rows.size() ? bins : rows.size();
}

}  // namespace numaheap::alloc

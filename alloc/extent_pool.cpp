#include "extent_pool.hpp"

#include <cstring>

#include "allowed_nodes.hpp"
#include "probes.hpp"
#include "valgrind.hpp"

namespace numaheap::alloc {

namespace {

constexpr size_t kHugePage = size_t{2} << 20;

constexpr size_t align_up(size_t value, size_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

}  // namespace

void ExtentPool::init(numa::AddressSpace* space, unsigned range, MetaPool* pool,
                      HugePages huge_pages) noexcept {
  space_ = space;
  range_ = range;
  pool_ = pool;
  huge_pages_ = huge_pages;
}

ExtentPool::Taken ExtentPool::take_free(size_t bytes, size_t alignment, uintptr_t at,
                                        bool zero) noexcept {
  ExtentTree* const order[] = {zero ? &clean_ : &dirty_, zero ? &dirty_ : &clean_};
  for (ExtentTree* tree : order) {
    if (at != 0) {
      if (tree->take_at(at, bytes, *pool_)) return {at, tree == &clean_};
    } else if (const Extent extent = tree->take_first_fit(bytes, alignment, *pool_);
               extent.bytes != 0) {
      return {extent.start, tree == &clean_};
    }
  }
  return {};
}

uintptr_t ExtentPool::take_fresh(size_t bytes, size_t alignment, uintptr_t at) noexcept {
  const uintptr_t range_start = space_->range_start(range_);
  // Blocks of a huge page and more start on one, so that they can be made of them.
  if (bytes >= kHugePage && alignment < kHugePage) alignment = kHugePage;
  const uintptr_t start = at != 0 ? at : align_up(range_start + bump_, alignment);
  if (at != 0 && at != range_start + bump_) return 0;
  const size_t end = start + bytes - range_start;
  if (end < bytes || end > space_->span().value) return 0;
  if (end > space_->opened(range_).value) {
    if (!space_->open(range_, Bytes{end})) return 0;
    const size_t opened = space_->opened(range_).value;
    const size_t first = huge_pages_ == HugePages::kOn ? 0 : kSmallHeap.value;
    const size_t from = advised_ > first ? advised_ : first;
    if ((huge_pages_ == HugePages::kOn || huge_pages_ == HugePages::kAuto) && opened > from) {
      // A refusal (a kernel without huge pages) leaves small pages, which is what there is.
      (void)space_->advise_huge_pages(range_start + from, Bytes{opened - from}, true);
    }
    advised_ = opened;
  }
  const size_t gap = start - (range_start + bump_);
  if (gap != 0 && !clean_.insert({range_start + bump_, gap}, *pool_)) return 0;
  bump_ = end;
  grown_.store(bump_, std::memory_order_relaxed);
  probe::grow(range_, bytes);
  if (huge_pages_ == HugePages::kLarge && bytes >= kHugePage) {
    (void)space_->advise_huge_pages(start, Bytes{bytes & ~(kHugePage - 1)}, true);  // as above
  }
  return start;
}

ExtentPool::Taken ExtentPool::take(size_t bytes, size_t alignment, uintptr_t at,
                                   bool zero) noexcept {
  Taken taken;
  bool recycled_clean = false;
  {
    const MutexLock lock(mutex_);
    taken = take_free(bytes, alignment, at, zero);
    recycled_clean = taken.start != 0 && taken.zeroed;
    if (taken.start == 0) {
      taken.start = take_fresh(bytes, alignment, at);
      taken.zeroed = taken.start != 0;
    }
    if (taken.start == 0) return {};
    taken_.fetch_add(bytes, std::memory_order_relaxed);
    dirty_bytes_.store(dirty_.total_bytes(), std::memory_order_relaxed);
  }
  bool usable = !recycled_clean || space_->reopen(range_, taken.start, Bytes{bytes});
  if (usable && taken.zeroed) {
    // Only a lack of memory refuses: a thread that may no longer run on the node leaves the pages to the first touch.
    const Status populated = space_->populate(range_, taken.start, Bytes{bytes});
    usable = populated || populated.error().code != ErrorCode::kNoMemory;
    if (!populated && usable) report_not_populated(range_, populated.error());
  }
  if (!usable) {
    (void)give(taken.start, bytes, !taken.zeroed);  // at worst address space is lost
    return {};
  }
  if (!taken.zeroed) valgrind::recycled(taken.start, bytes);
  if (zero && !taken.zeroed) {
    // From a huge page on fresh pages are as cheap as clearing, and what is never touched is never backed.
    const bool fresh = bytes >= kHugePage && !space_->needs_populate(range_) &&
                       space_->give_back(range_, taken.start, Bytes{bytes}) &&
                       space_->reopen(range_, taken.start, Bytes{bytes});
    if (!fresh) memset(reinterpret_cast<void*>(taken.start), 0, bytes);
    taken.zeroed = true;
  }
  return taken;
}

void ExtentPool::keep_small_pages(uintptr_t start, size_t bytes) noexcept {
  if (huge_pages_ == HugePages::kOff) return;
  (void)space_->advise_huge_pages(start, Bytes{bytes}, false);  // refused: it stays as it is
}

bool ExtentPool::give(uintptr_t start, size_t bytes, bool dirty) noexcept {
  const MutexLock lock(mutex_);
  if (!(dirty ? dirty_ : clean_).insert({start, bytes}, *pool_)) return false;
  dirty_bytes_.store(dirty_.total_bytes(), std::memory_order_relaxed);
  taken_.fetch_sub(bytes, std::memory_order_relaxed);
  return true;
}

Extent ExtentPool::widen_to_huge_pages(Extent extent) noexcept {
  // The fault of one small page of it made a whole huge page resident: the clean rest goes along.
  const uintptr_t end = extent.start + extent.bytes;
  const Extent below = clean_.take_ending_at(extent.start, extent.start & ~(kHugePage - 1), *pool_);
  const Extent above = clean_.take_starting_at(end, align_up(end, kHugePage), *pool_);
  return {extent.start - below.bytes, below.bytes + extent.bytes + above.bytes};
}

Bytes ExtentPool::purge(Bytes budget) noexcept {
  constexpr size_t kStep = size_t{1} << 20;
  size_t done = 0;
  while (done < budget.value) {
    const size_t left = budget.value - done;
    Extent extent;
    size_t dirty = 0;
    {
      const MutexLock lock(mutex_);
      extent = dirty_.take_lowest(left < kStep ? align_up(left, 4096) : kStep, *pool_);
      dirty = extent.bytes;
      if (dirty != 0 && huge_pages_ != HugePages::kOff) extent = widen_to_huge_pages(extent);
      dirty_bytes_.store(dirty_.total_bytes(), std::memory_order_relaxed);
    }
    if (extent.bytes == 0) break;
    // The piece is in neither tree now, so nobody uses it while the kernel works.
    const bool given_back =
        static_cast<bool>(space_->give_back(range_, extent.start, Bytes{extent.bytes}));
    const MutexLock lock(mutex_);
    if (!(given_back ? clean_ : dirty_).insert(extent, *pool_))
      break;  // no memory for a node: address space is lost
    dirty_bytes_.store(dirty_.total_bytes(), std::memory_order_relaxed);
    if (!given_back) break;
    done += dirty;
    purged_.fetch_add(dirty, std::memory_order_relaxed);
    probe::purge(range_, dirty);
  }
  return Bytes{done};
}

size_t ExtentPool::list_free(uintptr_t address, bool dirty, std::span<Extent> room) noexcept {
  size_t count = 0;
  const MutexLock lock(mutex_);
  const ExtentTree& tree = dirty ? dirty_ : clean_;
  for (Extent& extent : room) {
    extent = tree.first_after(address);
    if (extent.bytes == 0) break;
    address = extent.start + extent.bytes;
    ++count;
  }
  return count;
}

void ExtentPool::check_invariants() noexcept {
  const MutexLock lock(mutex_);
  dirty_.check_invariants();
  clean_.check_invariants();
}

}  // namespace numaheap::alloc

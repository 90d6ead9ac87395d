#include "heap.hpp"

#include <pthread.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "accounting.hpp"
#include "allowed_nodes.hpp"
#include "fork.hpp"
#include "heap_note.hpp"
#include "jemalloc/boot.hpp"
#include "limits.hpp"
#include "metrics.hpp"
#include "node_cache.hpp"
#include "numaheap/base/check.hpp"
#include "publishing.hpp"
#include "report.hpp"
#include "slow_path.hpp"
#include "thread_home.hpp"
#include "valgrind.hpp"

asm(NH_HEAP_NOTE);

namespace numaheap::detail {
RangeTable nh_ranges_abi1;
}  // namespace numaheap::detail

namespace numaheap::alloc {

constinit Heap g_heap;
constinit PlacementHeap g_placements[numa::AddressSpace::kMaxRanges];

// --- start ---

bool Heap::start() noexcept {
  const MutexLock lock(start_mutex_);
  if (state_.load(std::memory_order_relaxed) != State::kNew) return is_started();
  settings_ = read_settings();
  under_valgrind_ = valgrind::running();
  const int saved_errno = errno;
  bool ok = true;
  if (!settings_.system_backend) {
    // Our fork handlers come before jemalloc's, so that at fork(2) they run after them: lock order.
    ok = register_fork_handlers() && make_thread_exit_key() && jemalloc::boot() &&
         reserve_placements(numa::read_machine());
  }
  errno = saved_errno;
  if (!ok) {
    report_once(ReportKind::kOutOfMemory,
                "the heap cannot start: no address space, or a jemalloc with other size classes");
    state_.store(State::kFailed, std::memory_order_release);
    return false;
  }
  init_limits(settings_);
  register_metrics();  // of another back end too, whose figures then say why they are not there
  // release: pairs with the acquire in started(); publishes all that start() wrote.
  state_.store(State::kStarted, std::memory_order_release);
  return true;
}

namespace {

/// Enough for a batch of every class to be on its way per CPU; small, since what it holds looks used to the arena.
Bytes default_node_cache(unsigned cpus_per_node) noexcept {
  const Bytes by_cpus = KiB(512) * cpus_per_node;
  return by_cpus > MiB(4) ? by_cpus : MiB(4);
}

}  // namespace

bool Heap::reserve_placements(const numa::Machine& machine) noexcept {
  numa::RangeSpec specs[numa::AddressSpace::kMaxRanges];
  NodeSet usable;
  unsigned count = 0;
  unsigned left_out = 0;
  for (NodeId node = machine.with_memory.next(NodeId{0}); node != kNoNode;
       node = machine.with_memory.next(NodeId{node.value + 1})) {
    if (!machine.allowed.contains(node)) continue;
    if (count == numa::kMaxHeapNodes) {
      ++left_out;
      continue;
    }
    usable.insert(node);
    specs[count++] = {numa::Placing::kNode, node, {}};
  }
  if (count == 0) specs[count++] = {numa::Placing::kNode, NodeId{0}, {}};
  node_placements_ = count;
  if (count > 1) {
    specs[count++] = {numa::Placing::kInterleaved, kNoNode, usable};
    specs[count++] = {numa::Placing::kWeighted, kNoNode, usable};
  }

  numa::AddressSpaceOptions options;
  options.span = settings_.range_span;
  options.try_mbind = settings_.try_mbind;
  if (!space_.reserve(specs, count, 1, options)) return false;

  unsigned cpus_per_node = 0;
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof cpus, &cpus) == 0)
    cpus_per_node = static_cast<unsigned>(CPU_COUNT(&cpus)) / node_placements_;
  const Bytes node_cache =
      settings_.node_cache_set ? settings_.node_cache : default_node_cache(cpus_per_node);
  for (unsigned i = 0; i < count; ++i) {
    PlacementHeap& placement = g_placements[i];
    placement.placing = specs[i].placing;
    placement.node = specs[i].placing == numa::Placing::kNode ? specs[i].node : kNoNode;
    HugePages huge_pages = settings_.huge_pages;
    if (const unsigned node = placement.node.value;
        node < numa::AddressSpace::kMaxRanges &&
        (settings_.node_huge_pages_set[node / 64] >> (node % 64) & 1) != 0) {
      huge_pages = settings_.node_huge_pages[node];
    }
    placement.extents.init(&space_, i, &meta_pool_, huge_pages);
    placement.arena.init(
        &placement.extents, under_valgrind_ ? 0 : 2 * (cpus_per_node + 1),
        settings_.dirty_decay_ms > 0 ? settings_.dirty_decay_ms / 2 : settings_.dirty_decay_ms);
    placement.transfer.init(node_cache, &meta_pool_);
  }
  placement_count_ = count;
  detail::RangeTable& ranges = detail::nh_ranges_abi1;
  for (unsigned i = 0; i < count; ++i) ranges.node[i] = g_placements[i].node.value;
  ranges.span_shift = space_.span_shift();
  ranges.base = space_.base();
  ranges.count = count;
  order_spills(machine);
  if (left_out != 0) {
    report_once(ReportKind::kPlacement,
                "nodes beyond the 64th have no heap of their own: the nearest node serves them");
  }
  // Sanitizers and valgrind leave less, too, but whoever runs them knows.
  rlimit address_space{};
  if (space_.span() < settings_.range_span && getrlimit(RLIMIT_AS, &address_space) == 0 &&
      address_space.rlim_cur != RLIM_INFINITY) {
    report_once(ReportKind::kPlacement,
                "RLIMIT_AS leaves less address space than NUMAHEAP_RANGE asks for: the nodes' "
                "ranges are smaller");
  }
  report_placements();
  if (machine.online.size() > 1) {
    if (const Result<NodeSet> allowed = numa::read_allowed_nodes()) watch_allowed_nodes(*allowed);
  }
  return true;
}

void Heap::order_spills(const numa::Machine& machine) noexcept {
  const auto nearer = [&](NodeId from, unsigned a, unsigned b) {
    return machine.distance(from, g_placements[a].node) <
           machine.distance(from, g_placements[b].node);
  };
  for (unsigned i = 0; i < placement_count_; ++i) {
    PlacementHeap& placement = g_placements[i];
    for (unsigned j = 0; j < node_placements_; ++j) {
      if (j == i) continue;
      unsigned at = placement.spill_count.fetch_add(1, std::memory_order_relaxed);
      for (; at > 0 && placement.node != kNoNode &&
             nearer(placement.node, j, placement.spill_order[at - 1]);
           --at) {
        placement.spill_order[at] = placement.spill_order[at - 1].load();
      }
      placement.spill_order[at] = static_cast<uint8_t>(j);
    }
  }
  for (NodeId node{0}; node.value < kMaxNodes; ++node.value) {
    unsigned best = 0;
    for (unsigned i = 1; i < node_placements_; ++i) {
      if (g_placements[best].node == node) break;
      if (g_placements[i].node == node || (machine.online.contains(node) && nearer(node, i, best)))
        best = i;
    }
    home_of_node_[node.value] = static_cast<uint8_t>(best);
  }
}

void Heap::report_placements() const noexcept {
  for (unsigned i = 0; i < placement_count_; ++i) {
    const int refused = space_.refused_errno(i);
    switch (space_.rung(i)) {
      case numa::PolicyRung::kPinnedPopulate:
        report_once(ReportKind::kPlacement,
                    "mbind(2) is refused (a container's seccomp filter?): pages are placed by "
                    "populating them from their node",
                    nullptr, refused);
        break;
      case numa::PolicyRung::kFirstTouch:
        report_once(ReportKind::kPlacement,
                    "pages can be placed by first touch only: mbind(2) and pinning are refused",
                    nullptr, refused);
        break;
      case numa::PolicyRung::kInterleave:
        if (g_placements[i].placing == numa::Placing::kWeighted) {
          report_once(ReportKind::kPlacement,
                      "the kernel knows no weighted interleaving (Linux 6.9): weighted memory is "
                      "interleaved evenly",
                      nullptr, refused);
        }
        break;
      default:
        break;
    }
  }
}

// --- placements ---

unsigned Heap::index_of(Placement placement) const noexcept {
  if (placement.kind() == Placement::Kind::kLocal)
    return kNoPlacement;  // the caller's home: not known here
  if (placement.kind() == Placement::Kind::kNode) {
    for (unsigned i = 0; i < node_placements_; ++i) {
      if (g_placements[i].node == placement.node()) return i;
    }
    return kNoPlacement;
  }
  if (node_placements_ == placement_count_) return 0;  // one node: interleaved over it
  return node_placements_ + (placement.kind() == Placement::Kind::kWeighted ? 1 : 0);
}

void Heap::mark_block(const void* block, detail::SizeClass c, size_t bytes) noexcept {
  const auto start = reinterpret_cast<uintptr_t>(block) - space_.base();
  std::atomic<detail::SizeClass>* const map = page_map();
  size_t page = start >> detail::kPageShift;
  // relaxed: whoever asks has the pointer, and got it after this.
  map[page].store(c, std::memory_order_relaxed);
  const size_t end_page = (start + bytes) >> detail::kPageShift;
  for (++page; page < end_page; ++page)
    map[page].store(detail::kInterior, std::memory_order_relaxed);
  // The last page may be shared with the start of the next block, which may be marked by another thread just now: what
  // it holds from an earlier use is replaced, its own class is not.
  if (page == end_page && (start + bytes) % detail::kPage != 0) {
    detail::SizeClass old = map[page].load(std::memory_order_relaxed);
    if (old != c)
      map[page].compare_exchange_strong(old, detail::kInterior, std::memory_order_relaxed);
  }
}

// --- threads ---

HeapCache* Heap::cache_for(ThreadState& state, unsigned placement) noexcept {
  HeapCache* cache = state.caches[placement].load(std::memory_order_relaxed);
  if (cache == nullptr) {
    void* memory = meta_pool_.allocate(sizeof(HeapCache));
    if (memory == nullptr) return nullptr;
    cache = new (memory) HeapCache{};
    cache->thread = &state;
    cache->placement = placement;
    cache->range_start = space_.range_start(placement);
    cache->page_map =
        page_map() + ((space_.range_start(placement) - space_.base()) >> detail::kPageShift);
    for (unsigned c = detail::kFirstClass; c < detail::kClassCount; ++c) {
      cache->bins[c].alignment_mask =
          detail::alignment_of_class(static_cast<detail::SizeClass>(c)) - 1;
    }
    // release: pairs with the acquire of statistics; the cache is seen whole.
    state.caches[placement].store(cache, std::memory_order_release);
  }
  cache->range_bytes = space_.opened(placement).value;
  return cache;
}

ThreadState* Heap::adopt_thread_state() noexcept {
  ThreadState* state = nullptr;
  {
    const MutexLock lock(registry_mutex_);
    state = free_states_;
    if (state != nullptr) free_states_ = state->next_free;
  }
  if (state == nullptr) {
    void* memory = meta_pool_.allocate(sizeof(ThreadState));
    if (memory == nullptr) return nullptr;
    state = new (memory) ThreadState{};
    state->next_registered = states_.load(std::memory_order_relaxed);
    // release: pairs with the acquire in first_state(); next_registered and the zeros are seen.
    while (!states_.compare_exchange_weak(state->next_registered, state, std::memory_order_release,
                                          std::memory_order_relaxed)) {
    }
  }
  const unsigned placement = home_of_node(numa::current_node());
  state->home = cache_for(*state, placement);
  if (state->home == nullptr) {
    release_thread_state(state);
    return nullptr;
  }
  uint64_t filled = 0;
  uint64_t returned = 0;
  for (unsigned i = 0; i < placement_count_; ++i) {
    if (const HeapCache* cache = state->caches[i].load(std::memory_order_relaxed);
        cache != nullptr) {
      const Flow flow = flow_of(*cache);
      filled += flow.filled;
      returned += flow.returned;
    }
  }
  state->earlier_filled.store(filled, std::memory_order_relaxed);
  state->earlier_returned.store(returned, std::memory_order_relaxed);
  state->home_placement.store(placement, std::memory_order_relaxed);
  state->away = 0;
  state->placement_fixed = false;
  // The last owner's home may have been another node: its cache is an outgoing one now.
  for (unsigned i = 0; i < placement_count_; ++i) {
    HeapCache* cache = state->caches[i].load(std::memory_order_relaxed);
    if (cache != nullptr && cache != state->home) make_outgoing(*state, *cache);
  }
  state->requested_home.store(0, std::memory_order_relaxed);
  state->thread.store(pthread_self(), std::memory_order_relaxed);
  threads_.fetch_add(1, std::memory_order_relaxed);
  state->thread_id.store(gettid(), std::memory_order_seq_cst);
  // seq_cst: with the one in set_thread_home(), either that call sees this thread's id or we see what it left.
  if (const uint32_t request = take_pending_home(pthread_self()); request != 0) {
    state->requested_home.store(request, std::memory_order_relaxed);
  }
  return state;
}

void Heap::release_thread_state(ThreadState* state) noexcept {
  if (state->thread_id.exchange(0, std::memory_order_relaxed) != 0)
    threads_.fetch_sub(1, std::memory_order_relaxed);
  const MutexLock lock(registry_mutex_);
  state->next_free = free_states_;
  free_states_ = state;
}

// --- fork ---

void Heap::before_fork() noexcept NH_NO_THREAD_SAFETY_ANALYSIS {
  registry_mutex_.lock();
  for (unsigned i = 0; i < placement_count_; ++i) g_placements[i].extents.lock();
  meta_pool_.lock();
}

void Heap::after_fork_in_parent() noexcept NH_NO_THREAD_SAFETY_ANALYSIS {
  meta_pool_.unlock();
  for (unsigned i = placement_count_; i > 0; --i) g_placements[i - 1].extents.unlock();
  registry_mutex_.unlock();
}

void Heap::after_fork_in_child(ThreadState* survivor) noexcept NH_NO_THREAD_SAFETY_ANALYSIS {
  after_fork_in_parent();
  for (unsigned i = 0; i < placement_count_; ++i) g_placements[i].arena.after_fork_in_child();
  reports_after_fork_in_child();
  publishing_after_fork_in_child();
  // The other threads do not exist here. A state found even is whole: the next thread adopts it with what it holds.
  // One found odd was in the middle of a change: its blocks stay lost, and its books are never touched again.
  for (ThreadState* state = first_state(); state != nullptr; state = state->next_registered) {
    if (state == survivor || state->thread_id.load(std::memory_order_relaxed) == 0) continue;
    if (state->sequence.load(std::memory_order_relaxed) % 2 == 0) {
      release_thread_state(state);
    } else {
      state->thread_id.store(0, std::memory_order_relaxed);
    }
  }
  if (survivor != nullptr) survivor->thread_id.store(gettid(), std::memory_order_relaxed);
  threads_.store(survivor != nullptr ? 1 : 0, std::memory_order_relaxed);
}

}  // namespace numaheap::alloc

/// \file
/// The rows of mallctl: the names of jemalloc 5.3 that programs and exporters ask, answered from the heap's books.
///
/// A placement of the heap (a node, the interleaved range) is an arena, and its bins and extents are the arena's. What
/// the heap does not keep is not a row, so that asking fails with ENOENT instead of answering with a made-up figure:
/// thread.allocated and .deallocated (nothing is counted per operation), nmalloc, ndalloc and nrequests, prof.*,
/// mutexes. Settings that are compiled in or belong to the heap's environment can be read and not written.

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <algorithm>
#include <string_view>

#include "control.hpp"
#include "control_figures.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/settings.hpp"
#include "size_classes.hpp"

namespace numaheap::preload {
namespace {

// --- how an answer is given, as jemalloc gives it ---

template <class T>
int give(const Question& question, T value) {
  if (question.old_value == nullptr || question.old_size == nullptr) return 0;
  const size_t copied = std::min(*question.old_size, sizeof value);
  memcpy(question.old_value, &value, copied);
  if (*question.old_size == sizeof value) return 0;
  *question.old_size = copied;
  return EINVAL;
}

template <class T>
int read_only(const Question& question, T value) {
  if (question.new_value != nullptr || question.new_size != 0) return EPERM;
  return give(question, value);
}

/// For names that do something and have no value.
int no_value(const Question& question) {
  const bool none = question.old_value == nullptr && question.old_size == nullptr &&
                    question.new_value == nullptr && question.new_size == 0;
  return none ? 0 : EPERM;
}

template <class T>
bool take(const Question& question, T& value) {
  if (question.new_value == nullptr || question.new_size != sizeof value) return false;
  memcpy(&value, question.new_value, sizeof value);
  return true;
}

template <auto Value>
int constant(const Question& question) noexcept {
  return read_only(question, Value);
}

template <const char* Text>
int text(const Question& question) noexcept {
  return read_only<const char*>(question, Text);
}

/// For a setting whose value cannot change: writing what it is already is no error.
template <class T>
int fixed_at(const Question& question, T value) {
  if (question.new_value != nullptr) {
    T wanted{};
    if (!take(question, wanted)) return EINVAL;
    if (wanted != value) return EFAULT;
  }
  return give(question, value);
}

template <auto Value>
int fixed(const Question& question) noexcept {
  return fixed_at(question, Value);
}

constexpr char kDisabled[] = "disabled";
constexpr char kEmpty[] = "";
constexpr char kFalse[] = "false";

// --- arenas ---

/// The arena that a name means: a number, all of them, or, as jemalloc still takes it, the number after the last.
bool find_arena(const Question& question, size_t& arena) {
  const unsigned count = arena_count();
  arena = question.index[0] == count ? kAllArenas : question.index[0];
  return arena < count || arena == kAllArenas;
}

NodeId node_of(size_t arena) {
  Statistics heap;
  heap_figures(heap);
  return heap.placement[arena].node;
}

constexpr Bytes kEverything{SIZE_MAX / 2};

int purge_arena(const Question& question) noexcept {
  if (const int error = no_value(question)) return error;
  size_t arena = 0;
  if (!find_arena(question, arena)) return ENOENT;
  const NodeId node = arena == kAllArenas ? kNoNode : node_of(arena);
  if (node == kNoNode) {  // interleaved memory is purged with all the others only
    purge(kEverything);
  } else {
    purge(node, kEverything);
  }
  return 0;
}

/// NUMAHEAP_DIRTY_DECAY_MS as the heap read it at its start.
/// \returns false if it is written in a way that only the heap itself reads ("10K").
bool read_dirty_decay(ssize_t& milliseconds) {
  constexpr char kName[] = "DIRTY_DECAY_MS";
  const char* text = getenv("NUMAHEAP_DIRTY_DECAY_MS");
  if (text == nullptr || !check_setting(kName, text)) {
    for (const SettingInfo& setting : settings()) {
      if (strcmp(setting.name, kName) == 0) text = setting.default_text;
    }
  }
  if (text == nullptr) return false;
  char* end = nullptr;
  milliseconds = strtoll(text, &end, 10);
  return *end == 0;
}

int dirty_decay(const Question& question) noexcept {
  ssize_t now = 0;
  if (!read_dirty_decay(now)) return ENOENT;
  return fixed_at(question, now);
}

int arena_dirty_decay(const Question& question) noexcept {
  size_t arena = 0;
  return find_arena(question, arena) ? dirty_decay(question) : ENOENT;
}

int arena_muzzy_decay(const Question& question) noexcept {
  size_t arena = 0;
  return find_arena(question, arena) ? fixed_at(question, ssize_t{0}) : ENOENT;
}

int arena_initialized(const Question& question) noexcept {
  size_t arena = 0;
  return find_arena(question, arena) ? read_only(question, true) : ENOENT;
}

int arena_dss(const Question& question) noexcept {
  size_t arena = 0;
  return find_arena(question, arena) ? read_only<const char*>(question, kDisabled) : ENOENT;
}

int count_arenas(const Question& question) noexcept { return read_only(question, arena_count()); }

/// The arena of an address.
int arena_lookup(const Question& question) noexcept {
  const void* address = nullptr;
  if (!take(question, address)) return EINVAL;
  const NodeId node = home_node(address);
  if (node == kNoNode) return EINVAL;
  Statistics heap;
  heap_figures(heap);
  for (unsigned i = 0; i < heap.placements; ++i) {
    if (heap.placement[i].node == node) return give(question, i);
  }
  return EINVAL;
}

int thread_arena(const Question& question) noexcept {
  const NodeId home = thread_node();
  Statistics heap;
  heap_figures(heap);
  for (unsigned i = 0; i < heap.placements; ++i) {
    if (heap.placement[i].node == home) return read_only(question, i);
  }
  return EFAULT;
}

// --- size classes ---

template <auto Value>
int of_bin(const Question& question) noexcept {
  const size_t bin = question.index[0];
  return bin < kBins ? read_only(question, Value(bin)) : ENOENT;
}

int bin_regions(const Question& question) noexcept {
  BinStatistics bin;
  return find_bin(kAllArenas, question.index[0], bin)
             ? read_only<uint32_t>(question, bin.blocks_per_slab)
             : ENOENT;
}

int bin_slab_size(const Question& question) noexcept {
  BinStatistics bin;
  return find_bin(kAllArenas, question.index[0], bin) ? read_only(question, bin.slab_bytes)
                                                      : ENOENT;
}

int extent_size(const Question& question) noexcept {
  const size_t extent = question.index[0];
  return extent < kExtentClasses ? read_only(question, extent_class_bytes(extent)) : ENOENT;
}

// --- figures ---

int epoch(const Question& question) noexcept {
  uint64_t ignored = 0;
  if (question.new_value != nullptr && !take(question, ignored)) return EINVAL;
  return give(question, question.new_value != nullptr ? refresh_figures() : figures_epoch());
}

using Figure = size_t (*)(const ArenaFigures& figures);

constexpr Figure kAllocated = [](const ArenaFigures& f) { return f.arena.allocated.value; };
constexpr Figure kActive = [](const ArenaFigures& f) { return f.arena.active.value; };
constexpr Figure kMapped = [](const ArenaFigures& f) { return f.mapped().value; };
constexpr Figure kMetadata = [](const ArenaFigures& f) { return f.all_metadata().value; };
constexpr Figure kResident = [](const ArenaFigures& f) { return f.resident().value; };
constexpr Figure kRetained = [](const ArenaFigures& f) { return f.arena.retained.value; };
constexpr Figure kActivePages = [](const ArenaFigures& f) { return f.arena.active.value / kPage; };
constexpr Figure kDirtyPages = [](const ArenaFigures& f) { return f.dirty().value / kPage; };
constexpr Figure kMuzzyPages = [](const ArenaFigures& f) { return f.arena.muzzy.value / kPage; };
constexpr Figure kThreadCached = [](const ArenaFigures& f) { return f.thread_cached.value; };

template <Figure Read>
int total(const Question& question) noexcept {
  return read_only(question, Read(figures_of(kAllArenas)));
}

template <Figure Read>
int of_arena(const Question& question) noexcept {
  size_t arena = 0;
  return find_arena(question, arena) ? read_only(question, Read(figures_of(arena))) : ENOENT;
}

int small_allocated(const Question& question) noexcept {
  size_t arena = 0;
  return find_arena(question, arena) ? read_only(question, small_bytes(arena)) : ENOENT;
}

int large_allocated(const Question& question) noexcept {
  size_t arena = 0;
  if (!find_arena(question, arena)) return ENOENT;
  const size_t all = figures_of(arena).arena.allocated.value;
  return read_only(question, all - std::min(all, small_bytes(arena)));
}

template <size_t BinStatistics::*Member>
int of_arenas_bin(const Question& question) noexcept {
  size_t arena = 0;
  BinStatistics bin;
  if (!find_arena(question, arena) || !find_bin(arena, question.index[1], bin)) return ENOENT;
  return read_only(question, bin.*Member);
}

// --- threads ---

int flush_thread_cache(const Question& question) noexcept {
  if (const int error = no_value(question)) return error;
  trim();
  return 0;
}

int idle_thread(const Question& question) noexcept {
  if (const int error = no_value(question)) return error;
  thread_idle();
  return 0;
}

constexpr ControlName kNames[] = {
    {"arena.*.decay", purge_arena},
    {"arena.*.dirty_decay_ms", arena_dirty_decay},
    {"arena.*.dss", arena_dss},
    {"arena.*.initialized", arena_initialized},
    {"arena.*.muzzy_decay_ms", arena_muzzy_decay},
    {"arena.*.purge", purge_arena},
    {"arenas.bin.*.nregs", bin_regions},
    {"arenas.bin.*.nshards", of_bin<[](size_t) { return uint32_t{1}; }>},
    {"arenas.bin.*.size", of_bin<bin_bytes>},
    {"arenas.bin.*.slab_size", bin_slab_size},
    {"arenas.dirty_decay_ms", dirty_decay},
    {"arenas.lextent.*.size", extent_size},
    {"arenas.lookup", arena_lookup},
    {"arenas.muzzy_decay_ms", fixed<ssize_t{0}>},
    {"arenas.narenas", count_arenas},
    {"arenas.nbins", constant<unsigned{kBins}>},
    {"arenas.nhbins", constant<unsigned{kCachedClasses}>},
    {"arenas.nlextents", constant<unsigned{kExtentClasses}>},
    {"arenas.page", constant<kPage>},
    {"arenas.quantum", constant<size_t{16}>},
    {"arenas.tcache_max", constant<detail::kMaxCached>},
    {"background_thread", fixed<false>},
    {"config.cache_oblivious", constant<false>},
    {"config.debug", constant<false>},
    {"config.fill", constant<false>},
    {"config.lazy_lock", constant<false>},
    {"config.malloc_conf", text<kEmpty>},
    {"config.opt_safety_checks", constant<false>},
    {"config.prof", constant<false>},
    {"config.prof_libgcc", constant<false>},
    {"config.prof_libunwind", constant<false>},
    {"config.stats", constant<true>},
    {"config.utrace", constant<false>},
    {"config.xmalloc", constant<false>},
    {"epoch", epoch},
    {"max_background_threads", fixed<size_t{0}>},
    {"opt.abort", constant<false>},
    {"opt.abort_conf", constant<false>},
    {"opt.background_thread", constant<false>},
    {"opt.cache_oblivious", constant<false>},
    {"opt.confirm_conf", constant<false>},
    {"opt.dirty_decay_ms", dirty_decay},
    {"opt.dss", text<kDisabled>},
    {"opt.junk", text<kFalse>},
    {"opt.max_background_threads", constant<size_t{0}>},
    {"opt.muzzy_decay_ms", constant<ssize_t{0}>},
    {"opt.narenas", count_arenas},
    {"opt.percpu_arena", text<kDisabled>},
    {"opt.retain", constant<true>},
    {"opt.tcache", constant<true>},
    {"opt.tcache_max", constant<detail::kMaxCached>},
    {"opt.utrace", constant<false>},
    {"opt.xmalloc", constant<false>},
    {"opt.zero", constant<false>},
    {"stats.active", total<kActive>},
    {"stats.allocated", total<kAllocated>},
    {"stats.arenas.*.base", of_arena<kMetadata>},
    {"stats.arenas.*.bins.*.curregs", of_arenas_bin<&BinStatistics::blocks>},
    {"stats.arenas.*.bins.*.curslabs", of_arenas_bin<&BinStatistics::slabs>},
    {"stats.arenas.*.bins.*.nonfull_slabs", of_arenas_bin<&BinStatistics::nonfull_slabs>},
    {"stats.arenas.*.large.allocated", large_allocated},
    {"stats.arenas.*.mapped", of_arena<kMapped>},
    {"stats.arenas.*.pactive", of_arena<kActivePages>},
    {"stats.arenas.*.pdirty", of_arena<kDirtyPages>},
    {"stats.arenas.*.pmuzzy", of_arena<kMuzzyPages>},
    {"stats.arenas.*.resident", of_arena<kResident>},
    {"stats.arenas.*.retained", of_arena<kRetained>},
    {"stats.arenas.*.small.allocated", small_allocated},
    {"stats.arenas.*.tcache_bytes", of_arena<kThreadCached>},
    {"stats.background_thread.num_runs", constant<uint64_t{0}>},
    {"stats.background_thread.num_threads", constant<size_t{0}>},
    {"stats.background_thread.run_interval", constant<uint64_t{0}>},
    {"stats.mapped", total<kMapped>},
    {"stats.metadata", total<kMetadata>},
    {"stats.metadata_thp", constant<size_t{0}>},
    {"stats.resident", total<kResident>},
    {"stats.retained", total<kRetained>},
    {"thread.arena", thread_arena},
    {"thread.idle", idle_thread},
    {"thread.tcache.enabled", fixed<true>},
    {"thread.tcache.flush", flush_thread_cache},
    {"version", text<kJemallocVersion>},
};

static_assert(std::ranges::is_sorted(kNames, {}, [](const ControlName& row) {
  return std::string_view(row.pattern);
}));

}  // namespace

std::span<const ControlName> control_names() noexcept { return kNames; }

}  // namespace numaheap::preload

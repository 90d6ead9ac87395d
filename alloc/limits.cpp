#include "limits.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "accounting.hpp"
#include "probes.hpp"
#include "slow_path.hpp"

namespace numaheap {

namespace alloc {

namespace {

constexpr unsigned kKinds = 3;
constexpr unsigned kWatches = kKinds + numa::AddressSpace::kMaxRanges;

/// One limit and where its figure stands. The figure of live limits is passed in; the others are sampled.
struct Watch {
  std::atomic<size_t> soft{0};
  std::atomic<size_t> hard{0};
  std::atomic<size_t> value{0};
  std::atomic<bool> over_soft{false};
  std::atomic<bool> announce_soft{false};
  std::atomic<bool> announce_hard{false};
};

Watch g_watches[kWatches];
std::atomic<unsigned> g_over_soft{0};  // how many watches are over their soft limit
std::atomic<bool> g_any_limit{false};
std::atomic<bool> g_any_sampled{false};
std::atomic<bool> g_announce{false};
std::atomic<LimitCallback> g_callback{nullptr};
std::atomic<void*> g_callback_context{nullptr};
std::atomic<ReclaimHook> g_hook{nullptr};
std::atomic<void*> g_hook_context{nullptr};

Watch& watch_of(LimitKind kind) noexcept { return g_watches[static_cast<unsigned>(kind)]; }
Watch& watch_of_placement(unsigned placement) noexcept { return g_watches[kKinds + placement]; }

void value_moved(Watch& watch, int64_t value) noexcept {
  const size_t now = value < 0 ? 0 : static_cast<size_t>(value);
  watch.value.store(now, std::memory_order_relaxed);
  const size_t soft = watch.soft.load(std::memory_order_relaxed);
  const bool over = soft != 0 && now > soft;
  if (over == watch.over_soft.load(std::memory_order_relaxed)) return;
  if (watch.over_soft.exchange(over, std::memory_order_relaxed) == over) return;
  if (over) {
    g_over_soft.fetch_add(1, std::memory_order_relaxed);
    watch.announce_soft.store(true, std::memory_order_relaxed);
    // release: pairs with the acquire in announce_limits(); the watch's flag is seen.
    g_announce.store(true, std::memory_order_release);
  } else {
    g_over_soft.fetch_sub(1, std::memory_order_relaxed);
  }
}

/// Reads a file that holds little text. \returns false if it cannot be read. Does not allocate.
bool read_file(const char* path, char* text, size_t size) noexcept {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t length = read(fd, text, size - 1);
  close(fd);
  if (length <= 0) return false;
  text[length] = 0;
  return true;
}

bool read_resident(size_t* bytes) noexcept {
  char text[128];
  if (!read_file("/proc/self/statm", text, sizeof text)) return false;
  const char* second = strchr(text, ' ');
  if (second == nullptr) return false;
  *bytes = strtoul(second, nullptr, 10) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return true;
}

bool read_cgroup(size_t* bytes) noexcept {
  char text[4096];
  if (!read_file("/proc/self/cgroup", text, sizeof text)) return false;
  const char* path = strstr(text, "0::");
  if (path == nullptr) return false;
  path += 3;
  const size_t length = strcspn(path, "\n");
  char name[4096 + 64];
  static constexpr char kRoot[] = "/sys/fs/cgroup";
  static constexpr char kFile[] = "/memory.current";
  memcpy(name, kRoot, sizeof kRoot - 1);
  memcpy(name + sizeof kRoot - 1, path, length);
  memcpy(name + sizeof kRoot - 1 + length, kFile, sizeof kFile);
  if (!read_file(name, text, sizeof text)) return false;
  *bytes = strtoul(text, nullptr, 10);
  return true;
}

Status set_watch(Watch& watch, Limit limit) noexcept {
  if (limit.hard.value != 0 && limit.soft > limit.hard) {
    return Error{ErrorCode::kInvalidArgument, 0, "the soft limit must not be above the hard limit"};
  }
  watch.soft.store(limit.soft.value, std::memory_order_relaxed);
  watch.hard.store(limit.hard.value, std::memory_order_relaxed);
  bool any = false;
  for (const Watch& other : g_watches) {
    any = any || other.soft.load(std::memory_order_relaxed) != 0 ||
          other.hard.load(std::memory_order_relaxed) != 0;
  }
  g_any_limit.store(any, std::memory_order_relaxed);
  value_moved(watch, static_cast<int64_t>(watch.value.load(std::memory_order_relaxed)));
  return Unit{};
}

bool admits(Watch& watch, size_t bytes) noexcept {
  const size_t hard = watch.hard.load(std::memory_order_relaxed);
  if (hard == 0 || watch.value.load(std::memory_order_relaxed) + bytes <= hard) return true;
  watch.announce_hard.store(true, std::memory_order_relaxed);
  g_announce.store(true, std::memory_order_release);  // release: as in value_moved()
  return false;
}

}  // namespace

void live_total_moved(int64_t process_live, unsigned placement, int64_t placement_live) noexcept {
  if (!g_any_limit.load(std::memory_order_relaxed)) return;
  value_moved(watch_of(LimitKind::kLive), process_live);
  value_moved(watch_of_placement(placement), placement_live);
}

void init_limits(const Settings& settings) noexcept {
  // What the settings hold was checked when they were read; a figure that this machine lacks is never over.
  (void)set_limit(LimitKind::kLive, settings.live);
  (void)set_limit(LimitKind::kResident, settings.resident);
  if (settings.cgroup.soft.value != 0 || settings.cgroup.hard.value != 0) {
    (void)set_limit(LimitKind::kCgroup, settings.cgroup);
  }
  for (unsigned i = 0; i < g_heap.placement_count(); ++i)
    (void)set_watch(watch_of_placement(i), settings.node_live);
}

bool limits_admit(unsigned placement, size_t bytes) noexcept {
  if (!g_any_limit.load(std::memory_order_relaxed)) return true;
  return admits(watch_of(LimitKind::kLive), bytes) &&
         admits(watch_of(LimitKind::kResident), bytes) &&
         admits(watch_of(LimitKind::kCgroup), bytes) &&
         admits(watch_of_placement(placement), bytes);
}

void sample_limits() noexcept {
  if (!g_any_sampled.load(std::memory_order_relaxed)) return;
  size_t bytes = 0;
  if (read_resident(&bytes))
    value_moved(watch_of(LimitKind::kResident), static_cast<int64_t>(bytes));
  if (read_cgroup(&bytes)) value_moved(watch_of(LimitKind::kCgroup), static_cast<int64_t>(bytes));
}

void announce_limits() noexcept {
  if (!g_announce.load(std::memory_order_relaxed) || t_locals.announcing) return;
  // acquire: pairs with the release of who raised it.
  if (!g_announce.exchange(false, std::memory_order_acquire)) return;
  const LimitCallback callback = g_callback.load(std::memory_order_acquire);
  t_locals.announcing = true;  // what the callback allocates may be refused in its turn
  for (unsigned i = 0; i < kWatches; ++i) {
    Watch& watch = g_watches[i];
    const bool soft = watch.announce_soft.exchange(false, std::memory_order_relaxed);
    const bool hard = watch.announce_hard.exchange(false, std::memory_order_relaxed);
    if (callback == nullptr || (!soft && !hard)) continue;
    LimitEvent event{};
    event.kind = i < kKinds ? static_cast<LimitKind>(i) : LimitKind::kLive;
    event.node = i < kKinds ? kNoNode : g_heap.placement(i - kKinds).node;
    event.hard = hard;
    event.value = Bytes{watch.value.load(std::memory_order_relaxed)};
    event.limit = Bytes{(hard ? watch.hard : watch.soft).load(std::memory_order_relaxed)};
    callback(event, g_callback_context.load(std::memory_order_relaxed));
  }
  t_locals.announcing = false;
}

bool reclaim(size_t wanted) noexcept {
  const ReclaimHook hook =
      g_hook.load(std::memory_order_acquire);  // acquire: its context was set before it
  if (hook == nullptr || t_locals.reclaiming || t_locals.without_reclaim != 0) return false;
  t_locals.reclaiming = true;
  const bool again = hook(wanted, g_hook_context.load(std::memory_order_relaxed));
  t_locals.reclaiming = false;
  probe::reclaim(wanted, again);
  return again;
}

}  // namespace alloc

using namespace alloc;

Status set_limit(LimitKind kind, Limit limit) noexcept {
  size_t bytes = 0;
  const bool wanted = limit.soft.value != 0 || limit.hard.value != 0;
  if (wanted && kind == LimitKind::kCgroup && !read_cgroup(&bytes)) {
    return Error{ErrorCode::kNotSupported, 0,
                 "this process' cgroup has no memory.current (cgroup v2 memory controller)"};
  }
  if (wanted && kind == LimitKind::kResident && !read_resident(&bytes)) {
    return Error{ErrorCode::kNotSupported, 0, "/proc/self/statm cannot be read"};
  }
  if (kind != LimitKind::kLive) {
    watch_of(kind).value.store(bytes, std::memory_order_relaxed);
    if (wanted) g_any_sampled.store(true, std::memory_order_relaxed);
  } else {
    watch_of(kind).value.store(used_memory(), std::memory_order_relaxed);
  }
  return set_watch(watch_of(kind), limit);
}

Status set_node_limit(NodeId node, Limit limit) noexcept {
  const unsigned index = g_heap.started() ? g_heap.index_of(Placement::node(node)) : kNoPlacement;
  if (index == kNoPlacement) return Error{ErrorCode::kNotFound, 0, "there is no heap on that node"};
  const int64_t live = g_heap.placement(index).published_live.load(std::memory_order_relaxed);
  watch_of_placement(index).value.store(live < 0 ? 0 : static_cast<size_t>(live),
                                        std::memory_order_relaxed);
  return set_watch(watch_of_placement(index), limit);
}

Limit limit(LimitKind kind) noexcept {
  return {Bytes{watch_of(kind).soft.load(std::memory_order_relaxed)},
          Bytes{watch_of(kind).hard.load(std::memory_order_relaxed)}};
}

Limit node_limit(NodeId node) noexcept {
  const unsigned index = g_heap.started() ? g_heap.index_of(Placement::node(node)) : kNoPlacement;
  if (index == kNoPlacement) return {};
  Watch& watch = watch_of_placement(index);
  return {Bytes{watch.soft.load(std::memory_order_relaxed)},
          Bytes{watch.hard.load(std::memory_order_relaxed)}};
}

bool over_soft_limit() noexcept { return g_over_soft.load(std::memory_order_relaxed) != 0; }

void set_limit_callback(LimitCallback callback, void* context) noexcept {
  g_callback_context.store(context, std::memory_order_relaxed);
  g_callback.store(
      callback, std::memory_order_release);  // release: pairs with the acquire in announce_limits()
}

void set_reclaim_hook(ReclaimHook hook, void* context) noexcept {
  g_hook_context.store(context, std::memory_order_relaxed);
  g_hook.store(hook, std::memory_order_release);  // release: pairs with the acquire in reclaim()
}

WithoutReclaim::WithoutReclaim() noexcept { ++t_locals.without_reclaim; }
WithoutReclaim::~WithoutReclaim() { --t_locals.without_reclaim; }

}  // namespace numaheap

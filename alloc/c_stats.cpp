// The C face of stats: numaheap/stats.h.

#include <algorithm>
#include <atomic>

#include "kernel_rows.hpp"
#include "numaheap/stats.h"
#include "numaheap/stats/host_figures.hpp"
#include "numaheap/stats/info.hpp"
#include "numaheap/stats/json.hpp"
#include "numaheap/stats/memory_stats.hpp"
#include "numaheap/stats/openmetrics.hpp"
#include "numaheap/stats/table.hpp"

using namespace numaheap;

namespace {

using alloc::KernelRows;
using stats::Absence;
using stats::Detail;
using stats::HostEmitter;
using stats::HostFigure;
using stats::MemoryStat;
using stats::Sample;
using stats::Snapshot;

static_assert(NH_HOST_REPLICAS + 1 == stats::kHostFigures);
static_assert(NH_HOST_STARTUP == static_cast<int>(HostFigure::kStartup) &&
              NH_HOST_REPLICATION_BUFFERS == static_cast<int>(HostFigure::kReplicationBuffers) &&
              NH_HOST_MAX_MEMORY == static_cast<int>(HostFigure::kMaxMemory) &&
              NH_HOST_REPLICAS == static_cast<int>(HostFigure::kReplicas));

/// Calls use(snapshot) with one that has everything. \returns its result, or 0 if there is no memory.
template <class Use>
size_t with_snapshot(Detail detail, Use use) noexcept {
  constexpr size_t kSpare = 256;  // for threads and classes that come meanwhile
  size_t room = 4096;
  for (;;) {
    const KernelRows<Sample> samples(room);
    const KernelRows<Absence> absences(stats::registered_metrics() + kSpare);
    if (samples.span().empty() || absences.span().empty()) return 0;
    Snapshot snapshot = stats::take_snapshot(samples.span(), detail);
    if (snapshot.left_out != 0) {
      room += snapshot.left_out + kSpare;
      continue;
    }
    find_absent(snapshot, detail, absences.span());
    return use(snapshot);
  }
}

HostEmitter& emitter(nh_host_emitter* out) noexcept { return *reinterpret_cast<HostEmitter*>(out); }

/// What C registered; set before the metrics are, which publishes it.
nh_read_host_figures g_read_host = nullptr;
constinit std::atomic<bool> g_registered{false};

}  // namespace

size_t nh_render_stats(nh_rendering rendering, nh_detail detail, char* buffer,
                       size_t size) noexcept {
  constexpr size_t (*kRenderings[])(const Snapshot&, char*, size_t) noexcept = {
      stats::render_info,       stats::render_memory_stats, stats::render_openmetrics,
      stats::render_prometheus, stats::render_json,         stats::render_table};
  if (size != 0) buffer[0] = 0;
  const auto index = static_cast<size_t>(rendering);
  if (index >= std::size(kRenderings) || detail < NH_SUMMARY || detail > NH_PER_THREAD) return 0;
  const bool summary = rendering == NH_INFO_MEMORY || rendering == NH_MEMORY_STATS;
  return with_snapshot(
      summary ? Detail::kSummary : static_cast<Detail>(detail),
      [&](const Snapshot& snapshot) { return kRenderings[index](snapshot, buffer, size); });
}

size_t nh_memory_stats(nh_memory_stat* stats, size_t count, size_t* map_length) noexcept {
  if (map_length != nullptr) *map_length = 0;
  return with_snapshot(Detail::kSummary, [&](const Snapshot& snapshot) {
    const KernelRows<MemoryStat> rows(std::max(count, size_t{1}));
    if (rows.span().empty()) return size_t{0};
    const size_t keys = fill_memory_stats(snapshot, rows.span().first(count));
    const std::span<const MemoryStat> written = rows.span().first(std::min(keys, count));
    for (const MemoryStat& stat : written)
      *stats++ = {stat.key, stat.database, stat.is_whole ? 1 : 0, stat.number, stat.real};
    if (map_length != nullptr) *map_length = stats::memory_stats_map_length(written);
    return keys;
  });
}

nh_status nh_register_host_figures(nh_read_host_figures read, void* context) noexcept {
  // relaxed: elects who registers; what it registers is published by the registry.
  if (read == nullptr || g_registered.exchange(true, std::memory_order_relaxed))
    return NH_INVALID_ARGUMENT;
  g_read_host = read;
  const auto read_host = [](void* server, HostEmitter& out) noexcept {
    g_read_host(server, reinterpret_cast<nh_host_emitter*>(&out));
  };
  return stats::register_host_figures(read_host, context) ? NH_OK : NH_INVALID_ARGUMENT;
}

void nh_host_set(nh_host_emitter* out, nh_host_figure figure, int64_t value) noexcept {
  if (figure < NH_HOST_STARTUP || figure > NH_HOST_REPLICAS) return;
  emitter(out).set(static_cast<HostFigure>(figure), value);
}

void nh_host_database(nh_host_emitter* out, uint64_t database, int64_t main_bytes,
                      int64_t expires_bytes) noexcept {
  emitter(out).database(database, main_bytes, expires_bytes);
}

void nh_host_maxmemory_policy(nh_host_emitter* out, const char* name) noexcept {
  if (name != nullptr) emitter(out).maxmemory_policy(name);
}

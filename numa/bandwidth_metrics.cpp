#include "bandwidth_metrics.hpp"

#include <algorithm>
#include <atomic>

#include "numaheap/numa/machine.hpp"
#include "numaheap/stats/doctor_metrics.hpp"
#include "numaheap/stats/registry.hpp"

namespace numaheap::numa {

namespace {

using stats::Emitter;
using stats::Metric;

constexpr int64_t kNothing = -1;

// Each value by itself: a snapshot may see the rate of one read and the total of the next, as of any two metrics.
struct Published {
  std::atomic<unsigned> node;
  std::atomic<int64_t> rate;
  std::atomic<int64_t> peak;
  std::atomic<int64_t> total;
};
constinit Published published[kMaxHeapNodes] = {};
constinit std::atomic<unsigned> published_nodes{0};
constinit std::atomic<int64_t> published_at{0};  // of the steady clock
constinit std::atomic<const char*> published_source{nullptr};
constinit std::atomic<bool> is_claimed{false};

void read_metrics(void*, Emitter& out) noexcept;

const char* why_nothing(void*) noexcept {
  return published_nodes.load(std::memory_order_relaxed) == 0
             ? "no bandwidth meter was read by the host"
             : "no node's memory can be counted now, or no peak was measured";
}

constinit Metric bandwidth_metric{
    .name = stats::kBandwidth,
    .help =
        "Bytes to and from the node's memory a second, between the last two reads of the "
        "bandwidth meter.",
    .notes =
        "The label source says what counted them: imc, imc_free_running, umc and data_fabric "
        "are hardware and see all traffic; resctrl is hardware and does not see devices; "
        "own_books is only what numaheap itself moves. Near the peak, latency rises: give "
        "background work less bandwidth, or move a role to another node.",
    .unit = stats::Unit::kBytesPerSecond,
    .label_keys = {"node", "source"},
    .read = read_metrics,
    .why = why_nothing};
constinit Metric traffic_metric{
    .name = "numaheap_memory_traffic_bytes",
    .help = "Bytes to and from the node's memory since the bandwidth meter was started.",
    .notes = "Without intervals that could not be counted.",
    .unit = stats::Unit::kBytes,
    .type = stats::Type::kCounter,
    .label_keys = {"node", "source"},
    .why = why_nothing};
constinit Metric peak_metric{
    .name = stats::kBandwidthPeak,
    .help = "The most that the node's memory can move, as it was measured.",
    .notes = "Only where the host told its meter (numaheap topo --measure --xml writes it down).",
    .unit = stats::Unit::kBytesPerSecond,
    .source = stats::Source::kEstimate,
    .label_keys = {"node"},
    .why = why_nothing};

void read_metrics(void*, Emitter& out) noexcept {
  const unsigned count =
      published_nodes.load(std::memory_order_acquire);  // pairs with publish_bandwidth()
  const char* source = published_source.load(std::memory_order_relaxed);
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const auto age =
      std::max(std::chrono::nanoseconds{0},
               std::chrono::nanoseconds(now) -
                   std::chrono::nanoseconds(published_at.load(std::memory_order_relaxed)));
  for (unsigned i = 0; i < count; ++i) {
    const NodeId node{published[i].node.load(std::memory_order_relaxed)};
    const int64_t rate = published[i].rate.load(std::memory_order_relaxed);
    if (rate != kNothing) out.emit(rate, {node, source}, age);
    const int64_t peak = published[i].peak.load(std::memory_order_relaxed);
    if (peak != kNothing) out.emit(peak_metric, peak, {node});
    out.emit(traffic_metric, published[i].total.load(std::memory_order_relaxed), {node, source},
             age);
  }
}

int64_t or_nothing(const std::optional<uint64_t>& value) noexcept {
  return value ? static_cast<int64_t>(*value) : kNothing;
}

}  // namespace

bool claim_bandwidth_metrics(BandwidthSource source) noexcept {
  if (is_claimed.exchange(true, std::memory_order_acquire))
    return false;  // pairs with the release below
  // The first meter says it for good: a description never changes once it is registered. The label is always right.
  if (!bandwidth_metric.registered.load(std::memory_order_relaxed)) {
    const auto from =
        source == BandwidthSource::kOwnBooks ? stats::Source::kOwnBooks : stats::Source::kHardware;
    bandwidth_metric.source = from;
    traffic_metric.source = from;
  }
  stats::register_metric(bandwidth_metric);
  stats::register_metric(traffic_metric);
  stats::register_metric(peak_metric);
  for (Published& node : published) node.total.store(0, std::memory_order_relaxed);
  return true;
}

void release_bandwidth_metrics() noexcept {
  published_nodes.store(0, std::memory_order_relaxed);
  is_claimed.store(false, std::memory_order_release);
}

void publish_bandwidth(const BandwidthReading& reading) noexcept {
  published_source.store(name(reading.source), std::memory_order_relaxed);
  published_at.store(std::chrono::nanoseconds(reading.at.time_since_epoch()).count(),
                     std::memory_order_relaxed);
  const unsigned count =
      static_cast<unsigned>(std::min<size_t>(reading.nodes.size(), kMaxHeapNodes));
  for (unsigned i = 0; i < count; ++i) {
    const NodeTraffic& traffic = reading.nodes[i];
    published[i].node.store(traffic.node.value, std::memory_order_relaxed);
    published[i].rate.store(or_nothing(traffic.bytes_per_second), std::memory_order_relaxed);
    published[i].peak.store(or_nothing(traffic.peak_bytes_per_second), std::memory_order_relaxed);
    published[i].total.fetch_add(static_cast<int64_t>(traffic.bytes.value_or(0)),
                                 std::memory_order_relaxed);
  }
  published_nodes.store(count, std::memory_order_release);  // pairs with read_metrics()
}

}  // namespace numaheap::numa

#include "numaheap/numa/bandwidth_meter.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "bandwidth_metrics.hpp"
#include "numaheap/numa/machine.hpp"
#include "numaheap/numa/own_traffic.hpp"
#include "traffic_counter.hpp"

namespace numaheap::numa {

namespace {

using std::chrono::nanoseconds;

template <class Each>
void each_node(const NodeSet& nodes, Each each) {
  for (NodeId node = nodes.next(NodeId{0}); node != kNoNode;
       node = nodes.next(NodeId{node.value + 1}))
    each(node);
}

class OwnBooks final : public TrafficCounter {
 public:
  explicit OwnBooks(const MemoryDomains& domains) {
    each_node(domains.with_memory(),
              [&](NodeId node) { last_.emplace_back(node, own_traffic(node)); });
  }
  std::vector<ChannelTraffic> take() noexcept override {
    std::vector<ChannelTraffic> traffic;
    for (auto& [node, last] : last_) {
      const uint64_t now = own_traffic(node);
      NodeSet nodes;
      nodes.insert(node);
      traffic.push_back({nodes, static_cast<double>(now - last), 1, {}});
      last = now;
    }
    return traffic;
  }
  [[nodiscard]] std::string note() const noexcept override {
    return "Only what numaheap itself moves: the traffic of the program and of others is not in "
           "it.";
  }

 private:
  std::vector<std::pair<NodeId, uint64_t>> last_;
};

}  // namespace

std::unique_ptr<TrafficCounter> open_own_books(const MemoryDomains& domains) noexcept {
  return std::make_unique<OwnBooks>(domains);
}

const char* name(BandwidthSource source) noexcept {
  switch (source) {
    case BandwidthSource::kImc:
      return "imc";
    case BandwidthSource::kImcFreeRunning:
      return "imc_free_running";
    case BandwidthSource::kUmc:
      return "umc";
    case BandwidthSource::kDataFabric:
      return "data_fabric";
    case BandwidthSource::kResctrl:
      return "resctrl";
    case BandwidthSource::kOwnBooks:
      return "own_books";
  }
  return "unknown";
}

const NodeTraffic* BandwidthReading::node(NodeId id) const noexcept {
  const auto found = std::find_if(nodes.begin(), nodes.end(),
                                  [&](const NodeTraffic& node) { return node.node == id; });
  return found == nodes.end() ? nullptr : &*found;
}

BandwidthMeter::BandwidthMeter() noexcept = default;
BandwidthMeter::BandwidthMeter(BandwidthMeter&& other) noexcept
    : counter_(std::move(other.counter_)),
      node_directory_(std::move(other.node_directory_)),
      refusals_(std::move(other.refusals_)),
      learned_(std::move(other.learned_)),
      reading_(std::move(other.reading_)),
      is_started_(other.is_started_),
      is_exported_(std::exchange(other.is_exported_, false)) {}
BandwidthMeter& BandwidthMeter::operator=(BandwidthMeter&& other) noexcept {
  std::swap(counter_, other.counter_);
  std::swap(node_directory_, other.node_directory_);
  std::swap(refusals_, other.refusals_);
  std::swap(learned_, other.learned_);
  std::swap(reading_, other.reading_);
  std::swap(is_started_, other.is_started_);
  std::swap(is_exported_, other.is_exported_);
  return *this;
}
BandwidthMeter::~BandwidthMeter() {
  if (is_exported_) release_bandwidth_metrics();
}

BandwidthMeter BandwidthMeter::start(TimePoint now, const Options& options) noexcept {
  BandwidthMeter meter;
  meter.node_directory_ = options.root + kNodeDirectory;
  meter.open_source(options);
  meter.restart(now);
  return meter;
}

void BandwidthMeter::open_source(const Options& options) noexcept {
  const MemoryDomains domains(options.root);
  each_node(domains.with_memory(), [&](NodeId node) { reading_.nodes.push_back({.node = node}); });
  std::string problem;
  for (BandwidthSource source :
       {BandwidthSource::kImc, BandwidthSource::kImcFreeRunning, BandwidthSource::kUmc,
        BandwidthSource::kDataFabric, BandwidthSource::kResctrl}) {
    if (source < options.best) continue;
    auto counter = source == BandwidthSource::kResctrl
                       ? open_resctrl(options.root, domains, problem)
                       : open_controllers(source, options, domains, problem);
    if (counter != nullptr) return use(source, std::move(counter));
    refusals_.push_back(std::string(name(source)) + ": " + problem);
  }
  use(BandwidthSource::kOwnBooks, open_own_books(domains));
}

void BandwidthMeter::use(BandwidthSource source, std::unique_ptr<TrafficCounter> counter) noexcept {
  counter_ = std::move(counter);
  reading_.source = source;
  reading_.note = counter_->note();
}

const BandwidthReading& BandwidthMeter::restart(TimePoint now) noexcept {
  reading_.at = now;
  reading_.interval = nanoseconds{0};
  for (NodeTraffic& node : reading_.nodes)
    node = {.node = node.node,
            .reason = "nothing was read yet",
            .peak_bytes_per_second = node.peak_bytes_per_second};
  return reading_;
}

const BandwidthReading& BandwidthMeter::read(TimePoint now) noexcept {
  const nanoseconds interval = now - reading_.at;
  if (interval < kShortest && is_started_) return reading_;
  const std::vector<ChannelTraffic> channels = counter_->take();
  if (!std::exchange(is_started_, true)) return restart(now);
  const NodeSet online = read_machine(node_directory_.c_str()).online;
  reading_.at = now;
  reading_.interval = interval;
  for (NodeTraffic& node : reading_.nodes) {
    double bytes = 0;
    bool is_counted = false;
    node = {.node = node.node, .peak_bytes_per_second = node.peak_bytes_per_second};
    for (size_t i = 0; i < channels.size(); ++i) {
      const ChannelTraffic& channel = channels[i];
      if (!channel.nodes.contains(node.node)) continue;
      const NodeId learned = i < learned_.size() ? learned_[i] : kNoNode;
      if (channel.nodes.size() > 1 && learned == kNoNode) {
        node.reason = "its channels are not told from those of other nodes of the socket";
      } else if (channel.nodes.size() > 1 && learned != node.node) {
        continue;
      } else if (!channel.bytes) {
        node.reason = channel.reason;
      } else {
        bytes += *channel.bytes;
        node.counted = std::min(node.counted, channel.counted);
        is_counted = true;
      }
    }
    if (!online.contains(node.node)) {
      node.reason = "the node is offline";
    } else if (!is_counted && node.reason.empty()) {
      node.reason = "no counter is for its memory: no CPU is near to it";
    }
    if (!node.reason.empty()) continue;
    node.bytes = static_cast<uint64_t>(std::llround(bytes));
    node.bytes_per_second = static_cast<uint64_t>(
        std::llround(bytes / std::chrono::duration<double>(interval).count()));
  }
  if (is_exported_) publish_bandwidth(reading_);
  return reading_;
}

void BandwidthMeter::set_peak(NodeId node, uint64_t bytes_per_second) noexcept {
  for (NodeTraffic& known : reading_.nodes) {
    if (known.node == node) known.peak_bytes_per_second = bytes_per_second;
  }
}

NodeSet BandwidthMeter::ambiguous_nodes() const noexcept {
  NodeSet nodes;
  const std::vector<NodeSet> channels = counter_->channels();
  for (size_t i = 0; i < channels.size(); ++i) {
    if (channels[i].size() < 2 || (i < learned_.size() && learned_[i] != kNoNode)) continue;
    each_node(channels[i], [&](NodeId node) { nodes.insert(node); });
  }
  return nodes;
}

void BandwidthMeter::learn(const std::function<void(NodeId)>& make_traffic) noexcept {
  // A channel belongs to the node whose traffic made it grow most, if that is well above what the others' did.
  constexpr double kClear = 4;
  struct Growth {
    NodeId node = kNoNode;
    double most = 0;
    double second = 0;
  };
  std::vector<Growth> growth(counter_->channels().size());
  learned_.resize(growth.size(), kNoNode);
  each_node(ambiguous_nodes(), [&](NodeId node) {
    (void)counter_->take();
    make_traffic(node);
    const std::vector<ChannelTraffic> channels = counter_->take();
    for (size_t i = 0; i < growth.size(); ++i) {
      const double bytes = channels[i].bytes.value_or(0);
      if (!channels[i].nodes.contains(node)) continue;
      if (bytes > growth[i].most) {
        growth[i] = {node, bytes, growth[i].most};
      } else {
        growth[i].second = std::max(growth[i].second, bytes);
      }
    }
  });
  for (size_t i = 0; i < growth.size(); ++i) {
    if (learned_[i] == kNoNode && growth[i].most > kClear * growth[i].second)
      learned_[i] = growth[i].node;
  }
  is_started_ = false;  // that was traffic of ours, over an interval that nobody timed
}

bool BandwidthMeter::export_metrics() noexcept {
  is_exported_ = is_exported_ || claim_bandwidth_metrics(source());
  return is_exported_;
}

}  // namespace numaheap::numa

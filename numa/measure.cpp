#include "numaheap/numa/measure.hpp"

#include <algorithm>

#include "bound_memory.hpp"
#include "cpu_team.hpp"
#include "memory_traffic.hpp"
#include "node_cpus.hpp"
#include "numaheap/numa/machine.hpp"

namespace numaheap::numa {

namespace {

constexpr size_t kLeast = size_t{1}
                          << 20;  // of chain and of traffic: below that there is nothing but caches

Measured without_value(std::string reason) { return {std::nullopt, std::move(reason)}; }

/// Of the first member, which chases.
Measured nanoseconds_a_step(const TeamResult& team) {
  const double steps = team.per_cpu_second[0];
  return steps > 0 ? Measured{1e9 / steps, {}} : without_value("the CPU was never free");
}

/// The measurement of everything that needs memory of one node.
class Target {
 public:
  Target(const MeasureOptions& options, const std::vector<NodeCpus>& nodes,
         Measurement& measurement, size_t column)
      : options_(options),
        nodes_(nodes),
        result_(measurement),
        column_(column),
        node_(measurement.to[column]) {}

  void measure() {
    take_memory();
    for (size_t row = 0; row < nodes_.size(); ++row) {
      cell(result_.latency_ns, row) = latency(nodes_[row]);
      cell(result_.mb_per_s, row) = bandwidth(Mix::kReads, nodes_[row]);
    }
    const auto own = std::find_if(nodes_.begin(), nodes_.end(),
                                  [&](const NodeCpus& node) { return node.node == node_; });
    if (own == nodes_.end()) return;
    LoadedLatency loaded{node_, {}};
    for (unsigned delay : options_.delays) loaded.points.push_back(under_load(*own, delay));
    result_.loaded.push_back(std::move(loaded));
    NodePeak peak{node_, {}};
    for (size_t mix = 0; mix < kMixes; ++mix)
      peak.mb_per_s[mix] = bandwidth(static_cast<Mix>(mix), *own);
    result_.peaks.push_back(std::move(peak));
  }

 private:
  Measured& cell(std::vector<Measured>& table, size_t row) {
    return table[row * result_.to.size() + column_];
  }

  void take_memory() {
    if (is_stopped()) return;
    const Bytes wanted = options_.chain + options_.traffic;
    const size_t room = free_memory(node_).value / 2;  // the rest of the machine goes on
    size_t chain = options_.chain.value;
    size_t traffic = options_.traffic.value;
    if (room != 0 && wanted.value > room) {
      chain = static_cast<size_t>(static_cast<double>(chain) / static_cast<double>(wanted.value) *
                                  static_cast<double>(room));
      traffic = room - chain;
      result_.notes.push_back(
          "Node " + std::to_string(node_.value) + " has little free memory: its buffers are " +
          std::to_string((chain + traffic) >> 20) + " MiB instead of " +
          std::to_string(wanted.value >> 20) + " MiB, so that caches may have answered.");
    }
    if (chain < kLeast || traffic < kLeast) {
      problem_ = "the node has too little free memory";
      return;
    }
    std::string problem;
    memory_ = BoundMemory::on(node_, Bytes{chain + traffic}, problem);
    if (memory_.data() == nullptr) {
      problem_ = problem;
      return;
    }
    if (!problem.empty())
      result_.notes.push_back("Node " + std::to_string(node_.value) + ": " + problem + '.');
    chain_bytes_ = chain / kLineBytes * kLineBytes;
    start_ = make_chain(memory_.data(), chain_bytes_);
  }

  [[nodiscard]] bool is_stopped() const {
    return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed);
  }
  /// Why nothing can be measured now; empty if it can.
  [[nodiscard]] std::string obstacle() const {
    if (memory_.data() == nullptr && !problem_.empty()) return problem_;
    return is_stopped() ? "interrupted" : "";
  }

  Measured latency(const NodeCpus& from) {
    if (std::string why = obstacle(); !why.empty()) return without_value(std::move(why));
    const TeamResult team =
        run_team({&from.cpus.front(), 1}, options_.time,
                 [&](size_t, const std::atomic<bool>& stop) { return chase(start_, stop); });
    if (!team.problem.empty()) return without_value(team.problem);
    return nanoseconds_a_step(team);
  }

  /// The part of the memory that one of `count` streams goes over; aligned to huge pages' size where that leaves some.
  [[nodiscard]] std::pair<char*, size_t> share(size_t member, size_t count) const {
    const size_t all = memory_.size() - chain_bytes_;
    const size_t part = all / count / 4096 * 4096;
    char* const start = memory_.data() + (chain_bytes_ + 4095) / 4096 * 4096;
    return {start + member * part,
            std::min(part,
                     memory_.size() - static_cast<size_t>(start - memory_.data()) - member * part)};
  }

  Measured bandwidth(Mix mix, const NodeCpus& from) {
    if (std::string why = obstacle(); !why.empty()) return without_value(std::move(why));
    const TeamResult team =
        run_team(from.cpus, options_.time, [&](size_t member, const std::atomic<bool>& stop) {
          const auto [start, bytes] = share(member, from.cpus.size());
          return stream(mix, start, bytes / kLineBytes * kLineBytes, 0, stop);
        });
    if (!team.problem.empty()) return without_value(team.problem);
    double sum = 0;
    for (double bytes : team.per_second) sum += bytes;
    if (sum == 0) return without_value("each CPU's share of the memory is too small");
    return {sum / 1e6, {}};
  }

  LoadedPoint under_load(const NodeCpus& own, unsigned delay) {
    std::string why = obstacle();
    if (why.empty() && own.cpus.size() < 2)
      why = "the node has one CPU: nobody is there to load it";
    if (!why.empty()) return {delay, without_value(why), without_value(why)};
    const TeamResult team =
        run_team(own.cpus, options_.time, [&](size_t member, const std::atomic<bool>& stop) {
          if (member == 0) return chase(start_, stop);
          const auto [start, bytes] = share(member - 1, own.cpus.size() - 1);
          return stream(Mix::kReads, start, bytes / (2 * kLineBytes) * 2 * kLineBytes, delay, stop);
        });
    if (!team.problem.empty())
      return {delay, without_value(team.problem), without_value(team.problem)};
    double sum = team.per_second[0] * kLineBytes;
    for (size_t i = 1; i < team.per_second.size(); ++i) sum += team.per_second[i];
    return {delay, nanoseconds_a_step(team), {sum / 1e6, {}}};
  }

  const MeasureOptions& options_;
  const std::vector<NodeCpus>& nodes_;
  Measurement& result_;
  size_t column_;
  NodeId node_;
  BoundMemory memory_;
  std::string problem_ = "interrupted";  // why there is no memory
  void* start_ = nullptr;                // of the chain
  size_t chain_bytes_ = 0;
};

}  // namespace

MeasureOptions MeasureOptions::quick() noexcept {
  MeasureOptions options;
  options.delays = {0, 50, 100, 300, 700, 1300, 5000, 20000};
  return options;
}

MeasureOptions MeasureOptions::full() noexcept {
  MeasureOptions options;
  options.time = std::chrono::milliseconds{1000};
  options.delays = {0,   2,   8,    15,   50,   100,  200,  300,  400,  500,
                    700, 900, 1000, 1300, 1700, 2500, 3500, 5000, 9000, 20000};
  return options;
}

Measurement measure(const MeasureOptions& options) noexcept {
  const std::vector<NodeCpus> nodes = nodes_with_cpus();
  Measurement result;
  for (const NodeCpus& node : nodes) result.from.push_back(node.node);
  const NodeSet with_memory = read_machine().with_memory;
  for (NodeId node = with_memory.next(NodeId{0}); node != kNoNode;
       node = with_memory.next(NodeId{node.value + 1}))
    result.to.push_back(node);
  if (nodes.empty())
    result.notes.emplace_back(
        "The CPUs that this process may use are not known: nothing can be measured.");
  result.latency_ns.resize(result.from.size() * result.to.size());
  result.mb_per_s = result.latency_ns;

  MeasureOptions sized = options;
  if (sized.chain.value == 0 && !nodes.empty()) sized.chain = last_cache(nodes[0].cpus[0]) * 4;
  if (sized.traffic.value == 0) sized.traffic = std::max(MiB(64), last_caches(nodes) * 2);
  for (size_t column = 0; column < result.to.size(); ++column)
    Target(sized, nodes, result, column).measure();
  return result;
}

}  // namespace numaheap::numa

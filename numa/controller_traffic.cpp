// Traffic counted by memory controllers: one counter for each unit, event and socket.
#include <algorithm>
#include <utility>

#include "controller_events.hpp"
#include "numaheap/stats/event_source.hpp"
#include "numaheap/stats/perf_events.hpp"
#include "traffic_counter.hpp"

namespace numaheap::numa {

namespace {

using stats::EventSource;
using stats::PerfCount;
using stats::PerfEnvironment;
using stats::PerfKernel;

class Controllers final : public TrafficCounter {
 public:
  explicit Controllers(PerfKernel& kernel) noexcept : kernel_(kernel) {}
  ~Controllers() override {
    for (const Channel& channel : channels_) {
      for (const Counter& counter : channel.counters) kernel_.close(counter.descriptor);
    }
  }
  Controllers(const Controllers&) = delete;
  Controllers& operator=(const Controllers&) = delete;

  /// Adds one unit on one socket. \returns 0 or the errno that an event is refused with; `event` is then that one.
  int add(NodeSet nodes, unsigned cpu, const std::vector<TrafficEvent>& events,
          stats::PerfEvent& refused) {
    Channel& channel = channels_.emplace_back(Channel{nodes, {}});
    for (const TrafficEvent& event : events) {
      const int descriptor =
          kernel_.open(event.event, {.process = -1, .cpu = static_cast<int>(cpu)});
      if (descriptor < 0) {
        refused = event.event;
        return -descriptor;
      }
      Counter& counter =
          channel.counters.emplace_back(Counter{descriptor, event.bytes_per_count, {}, false});
      counter.has_last = kernel_.read(descriptor, counter.last) == 0;
    }
    return 0;
  }

  [[nodiscard]] std::vector<NodeSet> channels() const noexcept override {
    std::vector<NodeSet> nodes;
    for (const Channel& channel : channels_) nodes.push_back(channel.nodes);
    return nodes;
  }
  void leave_out(const char* what) { note_ = what; }
  [[nodiscard]] std::string note() const noexcept override {
    return note_ + "All traffic of the memory, whoever makes it.";
  }

  std::vector<ChannelTraffic> take() noexcept override {
    std::vector<ChannelTraffic> traffic;
    for (Channel& channel : channels_) {
      ChannelTraffic& sum = traffic.emplace_back(ChannelTraffic{channel.nodes, 0.0, 1, {}});
      for (Counter& counter : channel.counters) take(counter, sum);
      if (!sum.reason.empty()) sum.bytes.reset();
    }
    return traffic;
  }

 private:
  struct Counter {
    int descriptor;
    double bytes_per_count;
    PerfCount last;
    bool has_last;
  };
  struct Channel {
    NodeSet nodes;
    std::vector<Counter> counters;
  };

  /// Bytes are of the time since the last take: what was counted over a gap is lost, or the rate would be too high.
  void take(Counter& counter, ChannelTraffic& sum) {
    PerfCount now;
    if (kernel_.read(counter.descriptor, now) != 0) {
      counter.has_last = false;
      sum.reason =
          "a memory controller's counter cannot be read any more: its CPUs went offline, or its "
          "driver";
      return;
    }
    const auto scaled = stats::scaled_difference(counter.last, now);
    counter.last = now;
    if (!std::exchange(counter.has_last, true)) {
      sum.reason = "a memory controller's counter could not be read before";
    } else if (!scaled) {
      sum.reason = "a memory controller's event got no counter: others hold them";
    } else {
      *sum.bytes += scaled->value * counter.bytes_per_count;
      sum.counted = std::min(sum.counted, scaled->counted);
    }
  }

  PerfKernel& kernel_;
  std::vector<Channel> channels_;
  std::string note_;
};

const char* wanted_units(BandwidthSource source) {
  switch (source) {
    case BandwidthSource::kImc:
      return "uncore_imc";
    case BandwidthSource::kImcFreeRunning:
      return "uncore_imc_free_running";
    case BandwidthSource::kUmc:
      return "amd_umc";
    default:
      return "amd_df";
  }
}

}  // namespace

std::unique_ptr<TrafficCounter> open_controllers(BandwidthSource source,
                                                 const BandwidthMeter::Options& options,
                                                 const MemoryDomains& domains,
                                                 std::string& problem) noexcept {
  auto controllers = std::make_unique<Controllers>(*options.kernel);
  bool has_unit = false;
  for (const std::string& name : EventSource::names(options.root)) {
    // Its counts were found to be of 64 bytes by some and of 32 by others, and its nodes have no CPUs.
    if (name.starts_with("uncore_hbm")) controllers->leave_out("HBM is not in it. ");
    if (!is_unit_of(source, name)) continue;
    has_unit = true;
    const auto unit = EventSource::read(name, problem, options.root);
    if (!unit) return nullptr;
    const auto events = traffic_events(source, *unit, intel_model(options.root), problem);
    if (events.empty()) return nullptr;
    if (unit->cpus().empty()) {
      problem = name + ": the kernel does not say on which CPUs it is counted (cpumask)";
      return nullptr;
    }
    for (unsigned cpu : unit->cpus()) {
      const NodeSet nodes = domains.of_socket(cpu);
      if (nodes.empty()) {
        problem =
            name + ": the nodes of the socket of CPU " + std::to_string(cpu) + " are not known";
        return nullptr;
      }
      stats::PerfEvent refused;
      if (const int error = controllers->add(nodes, cpu, events, refused); error != 0) {
        problem = refused.name + " on CPU " + std::to_string(cpu) + ": " +
                  explain_refusal(error, refused, true, PerfEnvironment::read(options.root));
        return nullptr;
      }
    }
  }
  if (has_unit) return controllers;
  problem = std::string("the kernel shows no unit ") + wanted_units(source) +
            (PerfEnvironment::read(options.root).is_guest
                 ? ": this is a virtual machine, which has none"
                 : ": the CPU has none, or the driver is not loaded");
  return nullptr;
}

}  // namespace numaheap::numa

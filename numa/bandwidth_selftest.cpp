// How far a bandwidth meter is off: it is shown traffic of a known size.
#include <time.h>

#include <algorithm>
#include <cmath>

#include "bound_memory.hpp"
#include "memory_traffic.hpp"
#include "node_cpus.hpp"
#include "numaheap/numa/measure.hpp"
#include "numaheap/numa/own_traffic.hpp"
#include "thread_affinity.hpp"

namespace numaheap::numa {

namespace {

using Clock = BandwidthMeter::TimePoint::clock;

constexpr Bytes kBuffer = MiB(64);
constexpr Bytes kToLearn = GiB(1);
constexpr timespec kIdle{0, 100'000'000};

BoundMemory buffer_on(NodeId node, std::string& problem) {
  const Bytes free = free_memory(node);
  return BoundMemory::on(node, free.value == 0 ? kBuffer : std::min(kBuffer, Bytes{free.value / 2}),
                         problem);
}

/// Moves at least `bytes` of the buffer's memory from a thread of its node. \returns how much.
Bytes move(const BoundMemory& buffer, NodeId node, Bytes bytes) {
  const PinnedToNode pinned(node);  // where that is refused the traffic is the same, only slower
  Bytes moved;
  while (moved < bytes) {
    write_and_read(buffer.data(), buffer.size());
    moved += Bytes{2 * buffer.size()};
  }
  return moved;
}

SelftestRow test_node(BandwidthMeter& meter, NodeId node, Bytes bytes) {
  SelftestRow row{.node = node};
  const BoundMemory buffer = buffer_on(node, row.reason);
  if (buffer.data() == nullptr) return row;
  row.reason.clear();
  (void)meter.read(Clock::now());
  nanosleep(&kIdle, nullptr);
  const BandwidthReading before = meter.read(Clock::now());
  row.moved = move(buffer, node, bytes);
  if (meter.source() == BandwidthSource::kOwnBooks) count_own_traffic(node, row.moved);
  const BandwidthReading& after = meter.read(Clock::now());
  const NodeTraffic* idle = before.node(node);
  const NodeTraffic* busy = after.node(node);
  if (idle == nullptr || busy == nullptr || !idle->bytes_per_second || !busy->bytes) {
    row.reason = busy == nullptr ? "the meter does not know the node" : busy->reason;
    if (row.reason.empty()) row.reason = "the meter had no figure before the test";
    return row;
  }
  const double others = static_cast<double>(*idle->bytes_per_second) *
                        std::chrono::duration<double>(after.interval).count();
  const double measured = std::max(0.0, static_cast<double>(*busy->bytes) - others);
  row.measured = static_cast<uint64_t>(std::llround(measured));
  row.off = measured / static_cast<double>(row.moved.value) - 1;
  return row;
}

}  // namespace

std::vector<SelftestRow> selftest(BandwidthMeter& meter, Bytes bytes) noexcept {
  if (!meter.ambiguous_nodes().empty()) {
    meter.learn([](NodeId node) {
      std::string
          problem;  // a node without memory for it is not learned, which the meter says itself
      const BoundMemory buffer = buffer_on(node, problem);
      if (buffer.data() != nullptr) (void)move(buffer, node, kToLearn);
    });
  }
  std::vector<SelftestRow> rows;
  for (const NodeCpus& node : nodes_with_cpus()) rows.push_back(test_node(meter, node.node, bytes));
  return rows;
}

}  // namespace numaheap::numa

#include "numaheap/numa/machine.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include "kernel_file.hpp"
#include "system_error.hpp"

namespace numaheap::numa {

namespace {

constexpr unsigned kUnknownDistance = 255;

bool read_nodes(KernelFile& file, NodeSet& nodes) noexcept {
  NodeSet read;
  if (!read_id_list(file, kMaxNodes, [&](unsigned id) { read.insert(NodeId{id}); })) return false;
  nodes = read;
  return true;
}

NodeSet intersection(const NodeSet& a, const NodeSet& b) noexcept {
  NodeSet both;
  for (NodeId node = a.next(NodeId{0}); node != kNoNode; node = a.next(NodeId{node.value + 1})) {
    if (b.contains(node)) both.insert(node);
  }
  return both;
}

/// The nodes of one list file, cut to `within`; all of `within` if the file says nothing of them.
NodeSet read_nodes_of(const char* directory, const char* name, const NodeSet& within) noexcept {
  KernelFile file(Path(directory).add("/").add(name).c_str());
  NodeSet nodes;
  return read_nodes(file, nodes) ? intersection(nodes, within) : within;
}

bool read_allowed_list(const char* status_file, NodeSet& nodes) noexcept {
  KernelFile status(status_file);
  return status.seek_line("Mems_allowed_list:") && read_nodes(status, nodes);
}

void read_distances(const char* directory, Machine& machine) noexcept {
  unsigned row = 0;
  for (NodeId node = machine.online.next(NodeId{0}); node != kNoNode && row < kMaxHeapNodes;
       node = machine.online.next(NodeId{node.value + 1}), ++row) {
    KernelFile file(Path(directory).add("/node").add(node.value).add("/distance").c_str());
    unsigned distance = 0;
    for (unsigned column = 0; column < kMaxHeapNodes && file.next_number(distance); ++column) {
      machine.distances[row][column] =
          distance <= kUnknownDistance ? static_cast<uint8_t>(distance) : 0;
    }
  }
}

/// The position of a node among the online ones, or kMaxHeapNodes if it has none that distances[]
/// knows.
unsigned position(const NodeSet& online, NodeId node) noexcept {
  if (!online.contains(node)) return kMaxHeapNodes;
  unsigned before = 0;
  for (unsigned word = 0; word < node.value / 64; ++word) {
    before += static_cast<unsigned>(__builtin_popcountll(online.words()[word]));
  }
  const uint64_t lower = (uint64_t{1} << (node.value % 64)) - 1;
  before += static_cast<unsigned>(__builtin_popcountll(online.words()[node.value / 64] & lower));
  return before < kMaxHeapNodes ? before : kMaxHeapNodes;
}

}  // namespace

unsigned Machine::distance(NodeId from, NodeId to) const noexcept {
  if (from == to) return 10;
  const unsigned row = position(online, from);
  const unsigned column = position(online, to);
  if (row == kMaxHeapNodes || column == kMaxHeapNodes) return kUnknownDistance;
  return distances[row][column] == 0 ? kUnknownDistance : distances[row][column];
}

Result<NodeSet> parse_node_list(std::string_view text) noexcept {
  constexpr Error kMalformed{ErrorCode::kInvalidArgument, 0,
                             "not a list of node ids below 1024 such as \"0-3,8\""};
  NodeSet nodes;
  IdListParser parser(kMaxNodes, [&](unsigned id) { nodes.insert(NodeId{id}); });
  for (char c : text) {
    if (!parser.feed(c)) return kMalformed;
  }
  if (!parser.finish()) return kMalformed;
  return nodes;
}

Machine read_machine(const char* node_directory, const char* status_file) noexcept {
  const KeepErrno keep_errno;
  Machine machine;
  KernelFile online(Path(node_directory).add("/online").c_str());
  if (!read_nodes(online, machine.online) || machine.online.empty()) {
    machine.online = {};
    machine.online.insert(NodeId{0});
    machine.distances[0][0] = 10;
    machine.with_memory = machine.with_cpus = machine.allowed = machine.online;
    return machine;
  }
  machine.with_memory = read_nodes_of(node_directory, "has_memory", machine.online);
  if (machine.with_memory.empty()) machine.with_memory = machine.online;
  machine.with_cpus = read_nodes_of(node_directory, "has_cpu", machine.online);

  NodeSet allowed;
  if (read_allowed_list(status_file, allowed)) allowed = intersection(allowed, machine.with_memory);
  machine.allowed = allowed.empty() ? machine.with_memory : allowed;
  read_distances(node_directory, machine);
  return machine;
}

Result<NodeSet> read_allowed_nodes(const char* status_file) noexcept {
  constexpr unsigned long kMaskBits = kMaxNodes + 1;  // get_mempolicy(2) writes one bit less
  constexpr unsigned long kMemsAllowed = 1 << 2;      // MPOL_F_MEMS_ALLOWED of linux/mempolicy.h
  const KeepErrno keep_errno;
  NodeSet nodes;
  uint64_t words[kMaxNodes / 64] = {};
  if (syscall(SYS_get_mempolicy, nullptr, words, kMaskBits, nullptr, kMemsAllowed) == 0) {
    for (unsigned id = 0; id < kMaxNodes; ++id) {
      if ((words[id / 64] >> (id % 64) & 1) != 0) nodes.insert(NodeId{id});
    }
    return nodes;
  }
  const int refused = errno;
  if (read_allowed_list(status_file, nodes)) return nodes;
  return system_error(refused,
                      "neither get_mempolicy(2) nor Mems_allowed_list tells the allowed nodes");
}

}  // namespace numaheap::numa

/// \file
/// Running on the nodes of the live machine, and asking where pages are: for tests that are labelled numa.

#pragma once

#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "numa/thread_affinity.hpp"
#include "numaheap/base/bytes.hpp"
#include "numaheap/base/node_id.hpp"
#include "numaheap/numa/machine.hpp"
#include "numaheap/numa/residency.hpp"
#include "skip.hpp"

namespace numaheap::tests {

inline std::vector<NodeId> members(const NodeSet& set) {
  std::vector<NodeId> nodes;
  for (NodeId n = set.next(NodeId{0}); n != kNoNode; n = set.next(NodeId{n.value + 1}))
    nodes.push_back(n);
  return nodes;
}

inline std::vector<NodeId> nodes_with_memory() { return members(numa::read_machine().allowed); }

/// Nodes that have CPUs that this process may use, and memory.
inline std::vector<NodeId> nodes_to_run_on() {
  const numa::Machine machine = numa::read_machine();
  std::vector<NodeId> nodes;
  for (NodeId node : members(machine.with_cpus)) {
    if (machine.allowed.contains(node)) nodes.push_back(node);
  }
  return nodes;
}

inline bool pin_to(NodeId node) {
  numa::CpuSet cpus;
  return numa::read_node_cpus(numa::kNodeDirectory, node, cpus) &&
         numa::set_thread_affinity(cpus).has_value();
}

/// Runs body() in a new thread that is pinned to a node, and waits for it.
template <class Body>
void on_node(NodeId node, Body body) {
  std::thread([&] {
    ASSERT_TRUE(pin_to(node)) << "node " << node.value;
    body();
  }).join();
}

/// How many of the pages of [start, start + bytes) are on each node (kNoNode: no page).
inline std::map<NodeId, size_t> pages_by_node(const void* start, size_t bytes) {
  std::vector<const void*> addresses;
  for (size_t offset = 0; offset < bytes; offset += 4096) {
    addresses.push_back(static_cast<const char*>(start) + offset);
  }
  std::vector<NodeId> nodes(addresses.size());
  std::map<NodeId, size_t> pages;
  const Status asked = numa::resident_nodes(addresses, nodes);
  EXPECT_TRUE(asked);
  for (NodeId node : nodes) ++pages[node];
  return pages;
}

/// Free bytes of a node by its meminfo.
inline size_t free_bytes(NodeId node) {
  std::ifstream in(std::string(numa::kNodeDirectory) + "/node" + std::to_string(node.value) +
                   "/meminfo");
  const std::string key = "MemFree:";
  for (std::string line; std::getline(in, line);) {
    const size_t at = line.find(key);
    if (at != std::string::npos)
      return std::strtoul(line.c_str() + at + key.size(), nullptr, 10) * 1024;
  }
  return 0;
}

/// True in the virtual machines of tests/vm, which a test may reconfigure and fill up.
inline bool machine_is_ours() {
  const char* value = std::getenv("NUMAHEAP_TEST_VM");
  return value != nullptr && std::string(value) == "1";
}

}  // namespace numaheap::tests

#define NH_NEEDS_NODES(count)                                                    \
  if (numaheap::tests::nodes_to_run_on().size() < (count)) {                     \
    NH_SKIP("the machine has fewer than " #count " nodes with CPUs and memory"); \
  }

#define NH_NEEDS_VM()                      \
  if (!numaheap::tests::machine_is_ours()) \
  NH_SKIP("reconfigures or fills the machine: only in the VM of tests/vm")

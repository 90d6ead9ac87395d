#include "heap_on_nodes.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <set>
#include <string>

#include "numa/child_process.hpp"

namespace numaheap::tests {

bool condition_is(const char* name) {
  const char* value = std::getenv("NUMAHEAP_TEST_CONDITION");
  return value != nullptr && std::string(value) == name;
}

const bool memory_stays = setenv("NUMAHEAP_DIRTY_DECAY_MS", "-1", 1) == 0;

const bool mbind_is_refused =
    condition_is("refuse_mbind") && refuse_system_calls({{SYS_mbind, EPERM}});

namespace {

void set_overcommit(int mode) {
  std::ofstream("/proc/sys/vm/overcommit_ratio") << (mode == 2 ? 100 : 50);
  std::ofstream("/proc/sys/vm/overcommit_memory") << mode;
}

}  // namespace

const bool overcommit_is_strict = condition_is("strict_overcommit") && machine_is_ours() &&
                                  (set_overcommit(2), std::atexit([] { set_overcommit(0); }) == 0);

const bool memory_is_locked =
    condition_is("locked_memory") && mlockall(MCL_CURRENT | MCL_FUTURE) == 0;

std::vector<NodeId> placeable_nodes() {
  return mbind_is_refused ? nodes_to_run_on() : nodes_with_memory();
}

std::vector<size_t> mixed_sizes() {
  std::mt19937 random(11);
  std::vector<size_t> sizes;
  for (int i = 0; i < 3000; ++i) sizes.push_back(1 + random() % 2048);
  for (int i = 0; i < 60; ++i) sizes.push_back(4096 + random() % 100'000);
  for (int i = 0; i < 4; ++i) sizes.push_back(MiB(1).value + random() % MiB(2).value);
  sizes.push_back(MiB(6).value);
  return sizes;
}

Block filled(void* start, size_t size) {
  if (start != nullptr) memset(start, 0x5a, size);
  return {static_cast<char*>(start), size};
}

void expect_all_on(NodeId node, const std::vector<Block>& blocks) {
  std::set<const void*> pages;
  for (const Block& block : blocks) {
    ASSERT_NE(block.start, nullptr);
    EXPECT_EQ(home_node(block.start), node);
    const auto first = reinterpret_cast<uintptr_t>(block.start) / kPage;
    const auto last = (reinterpret_cast<uintptr_t>(block.start) + block.size - 1) / kPage;
    for (uintptr_t page = first; page <= last; ++page)
      pages.insert(reinterpret_cast<const void*>(page * kPage));
  }
  const std::vector<const void*> addresses(pages.begin(), pages.end());
  std::vector<NodeId> nodes(addresses.size());
  ASSERT_TRUE(numa::resident_nodes(addresses, nodes));
  size_t elsewhere = 0;
  for (NodeId there : nodes) elsewhere += there != node;
  EXPECT_EQ(elsewhere, 0u) << "of " << nodes.size() << " pages of node " << node.value;
}

size_t resident_pages(const std::vector<Block>& blocks) {
  std::vector<const void*> addresses;
  for (const Block& block : blocks) {
    for (size_t at = 0; at < block.size; at += kPage) addresses.push_back(block.start + at);
  }
  std::vector<NodeId> nodes(addresses.size());
  EXPECT_TRUE(numa::resident_nodes(addresses, nodes));
  return nodes.size() - static_cast<size_t>(std::count(nodes.begin(), nodes.end(), kNoNode));
}

void free_all(std::vector<Block>& blocks) {
  for (const Block& block : blocks) deallocate(block.start);
  blocks.clear();
}

}  // namespace numaheap::tests

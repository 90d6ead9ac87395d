// A cpuset that changes while the heap runs: it says so, works on, and comes back to what it was.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "heap_on_nodes.hpp"
#include "numa/cpuset.hpp"
#include "numaheap/report.hpp"

namespace numaheap {
namespace {

using tests::Block;
using tests::Cpuset;
using tests::filled;
using tests::kPage;
using tests::mbind_is_refused;
using tests::nodes_to_run_on;
using tests::pages_by_node;

std::string g_heard;

/// All that is reported while it lives, a line each.
class Listener {
 public:
  Listener() {
    set_report_callback(
        [](const Report& report, void*) noexcept { g_heard += report.text + std::string("\n"); },
        nullptr);
    g_heard.clear();
  }
  ~Listener() { set_report_callback(nullptr, nullptr); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Allocates until this is heard, since that is when the heap looks.
  static bool hears(const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (g_heard.find(text) == std::string::npos) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      deallocate(allocate(MiB(6).value));
    }
    return true;
  }
};

void purge_all(NodeId node) {
  while (purge(node, MiB(64)).purged != Bytes{0}) {
  }
}

/// A block of a node in memory that it has no pages for yet.
Block fresh_block(NodeId node) {
  purge_all(node);
  return filled(allocate_on(Placement::node(node), MiB(6).value), MiB(6).value);
}

/// All nodes that the heap knows but this one.
std::string list_without(NodeId node) {
  std::string list;
  for (NodeId other : tests::nodes_with_memory()) {
    if (other == node) continue;
    if (!list.empty()) list += ',';
    list += std::to_string(other.value);
  }
  return list;
}

constexpr size_t kBlockPages = MiB(6).value / kPage;

TEST(HeapOnNodes, SaysThatACpusetTakesANodeAndGivesItBackAndWorksOn) {
  NH_NEEDS_NODES(2);
  NH_NEEDS_VM();
  deallocate(allocate(1));
  const NodeId first = nodes_to_run_on().front();
  const NodeId last = nodes_to_run_on().back();
  const std::string name = "node " + std::to_string(last.value);
  const Listener listener;
  Cpuset cpuset;
  ASSERT_TRUE(cpuset.works());
  const std::string all = list_without(kNoNode);
  ASSERT_TRUE(cpuset.set_memory_nodes(list_without(last)));
  EXPECT_TRUE(Listener::hears(name + " may no longer be used (cpuset)")) << g_heard;
  Block block = fresh_block(last);
  ASSERT_NE(block.start, nullptr);
  EXPECT_EQ(home_node(block.start), last);
  auto pages = pages_by_node(block.start, block.size);
  EXPECT_EQ(pages[last], 0u);
  EXPECT_EQ(pages[kNoNode], 0u) << "it has memory, from node " << first.value << " or another";
  deallocate(block.start);
  purge_all(last);
  EXPECT_LT(tests::resident_pages({block}), kBlockPages / 20) << "it can be given back";

  ASSERT_TRUE(cpuset.set_memory_nodes(all));
  EXPECT_TRUE(Listener::hears(name + " may be used again (cpuset)")) << g_heard;
  block = fresh_block(last);
  ASSERT_NE(block.start, nullptr);
  EXPECT_EQ(pages_by_node(block.start, block.size)[last], kBlockPages);
  deallocate(block.start);
}

TEST(HeapOnNodes, PlacesWithoutTheCpusOfANodeOrSaysThatItCannot) {
  NH_NEEDS_NODES(2);
  NH_NEEDS_VM();
  deallocate(allocate(1));
  const NodeId last = nodes_to_run_on().back();
  numa::CpuSet its_cpus;
  ASSERT_TRUE(numa::read_node_cpus(numa::kNodeDirectory, last, its_cpus));
  const unsigned first_cpu = its_cpus.next(0);
  ASSERT_GT(first_cpu, 0u);
  const Listener listener;
  Cpuset cpuset;
  ASSERT_TRUE(cpuset.works());
  ASSERT_TRUE(cpuset.set_cpus("0-" + std::to_string(first_cpu - 1)));
  const Block block = fresh_block(last);
  ASSERT_NE(block.start, nullptr);
  const size_t there = pages_by_node(block.start, block.size)[last];
  const std::string sentence =
      "node " + std::to_string(last.value) + ": the thread cannot run on the node";
  if (mbind_is_refused) {
    EXPECT_NE(g_heard.find(sentence), std::string::npos) << g_heard;
    EXPECT_EQ(there, 0u);
  } else {
    EXPECT_EQ(g_heard.find(sentence), std::string::npos) << "the policy needs no thread there";
    EXPECT_EQ(there, kBlockPages);
  }
  deallocate(block.start);
}

}  // namespace
}  // namespace numaheap

// The heap on several nodes, through its public face: memory lies where its thread runs, and what is freed goes home.
// In the virtual machines of tests/vm/run, and on any machine with nodes. NUMAHEAP_TEST_CONDITION makes it harder:
//   refuse_mbind       the process starts under a filter that refuses mbind(2), as a container's does
//   strict_overcommit  vm.overcommit_memory is 2 (in the virtual machines only)
//   locked_memory      the process has called mlockall(2) for what it has and will have
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <set>

#include "numa/child_process.hpp"
#include "numa/on_nodes.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/statistics.hpp"
#include "numaheap/stats/registry.hpp"

namespace numaheap {
namespace {

using tests::in_child;
using tests::members;
using tests::nodes_to_run_on;
using tests::nodes_with_memory;
using tests::on_node;
using tests::pages_by_node;
using tests::pin_to;

constexpr size_t kPage = 4096;

bool condition_is(const char* name) {
  const char* value = std::getenv("NUMAHEAP_TEST_CONDITION");
  return value != nullptr && std::string(value) == name;
}

// All of these come before the heap's first allocation, which is in the first test.

/// Nothing is given back by time: what a purge does is seen, however slow the machine is.
const bool memory_stays = setenv("NUMAHEAP_DIRTY_DECAY_MS", "-1", 1) == 0;

const bool mbind_is_refused =
    condition_is("refuse_mbind") && tests::refuse_system_calls({{SYS_mbind, EPERM}});

void set_overcommit(int mode) {
  std::ofstream("/proc/sys/vm/overcommit_ratio") << (mode == 2 ? 100 : 50);
  std::ofstream("/proc/sys/vm/overcommit_memory") << mode;
}
const bool overcommit_is_strict = condition_is("strict_overcommit") && tests::machine_is_ours() &&
                                  (set_overcommit(2), std::atexit([] { set_overcommit(0); }) == 0);

const bool memory_is_locked =
    condition_is("locked_memory") && mlockall(MCL_CURRENT | MCL_FUTURE) == 0;

TEST(HeapOnNodes, RunsUnderTheConditionThatWasAskedFor) {
  if (condition_is("strict_overcommit")) NH_NEEDS_VM();
  int mode = 0;
  std::ifstream("/proc/sys/vm/overcommit_memory") >> mode;
  EXPECT_EQ(mode == 2, overcommit_is_strict);
  EXPECT_EQ(mbind_is_refused, condition_is("refuse_mbind"));
  EXPECT_TRUE(memory_stays);
  if (condition_is("locked_memory") && !memory_is_locked) NH_SKIP("mlockall is refused");
}

/// Nodes that the heap can place memory on: those with memory, but without mbind only where a thread can run.
std::vector<NodeId> placeable_nodes() {
  return mbind_is_refused ? nodes_to_run_on() : nodes_with_memory();
}

struct Block {
  char* start;
  size_t size;
};

/// Blocks of all tiers: small, of some pages, large, and beyond what caches hold. Some 20 MiB.
std::vector<size_t> mixed_sizes() {
  std::mt19937 random(11);
  std::vector<size_t> sizes;
  for (int i = 0; i < 3000; ++i) sizes.push_back(1 + random() % 2048);
  for (int i = 0; i < 60; ++i) sizes.push_back(4096 + random() % 100'000);
  for (int i = 0; i < 4; ++i) sizes.push_back(MiB(1).value + random() % MiB(2).value);
  sizes.push_back(MiB(6).value);
  return sizes;
}

/// Writes to all of the block, so that each of its pages exists.
Block filled(void* start, size_t size) {
  if (start != nullptr) memset(start, 0x5a, size);
  return {static_cast<char*>(start), size};
}

/// Every block belongs to the node, and each of their pages is there.
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

void free_all(std::vector<Block>& blocks) {
  for (const Block& block : blocks) deallocate(block.start);
  blocks.clear();
}

TEST(HeapOnNodes, EveryNodeHasARangeOnTheBestRungThatTheKernelGrants) {
  NH_NEEDS_NODES(2);
  deallocate(allocate(1));
  Statistics statistics{};
  read_statistics(statistics);
  std::vector<NodeId> placed;
  const auto runners = nodes_to_run_on();
  for (unsigned i = 0; i < statistics.placements; ++i) {
    const PlacementStatistics& placement = statistics.placement[i];
    if (placement.placing != numa::Placing::kNode) continue;
    placed.push_back(placement.node);
    const bool has_cpus = std::count(runners.begin(), runners.end(), placement.node) != 0;
    const auto refused =
        has_cpus ? numa::PolicyRung::kPinnedPopulate : numa::PolicyRung::kFirstTouch;
    EXPECT_EQ(placement.rung, mbind_is_refused ? refused : numa::PolicyRung::kPreferred)
        << "node " << placement.node.value << ": " << numa::name(placement.rung);
  }
  EXPECT_EQ(placed, nodes_with_memory());
}

TEST(HeapOnNodes, AllPagesOfThreadLocalAllocationsAreOnTheThreadsNode) {
  NH_NEEDS_NODES(2);
  for (NodeId node : nodes_to_run_on()) {
    on_node(node, [&] {
      std::vector<Block> blocks;
      for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(thread_node(), node);
        for (size_t size : mixed_sizes()) blocks.push_back(filled(allocate(size), size));
        expect_all_on(node, blocks);
        // The next round gets memory that was used, purged, or never touched.
        free_all(blocks);
        trim();
        if (round == 1) purge(node, GiB(1));
      }
    });
  }
}

TEST(HeapOnNodes, AllPagesOfZeroedAlignedAndResizedBlocksAreOnTheThreadsNode) {
  NH_NEEDS_NODES(2);
  for (NodeId node : nodes_to_run_on()) {
    on_node(node, [&] {
      std::vector<Block> blocks;
      for (size_t size : {size_t{100}, size_t{5000}, size_t{300'000}, MiB(5).value}) {
        blocks.push_back(filled(allocate_zeroed(size), size));
        blocks.push_back(filled(allocate_aligned(16384, size), size));
        void* grown = allocate(size / 2);
        ASSERT_NE(grown, nullptr);
        blocks.push_back(filled(reallocate(grown, size), size));
      }
      std::array<void*, 100> batch;
      ASSERT_EQ(allocate_batch(700, batch), batch.size());
      for (void* block : batch) blocks.push_back(filled(block, 700));
      expect_all_on(node, blocks);
      free_all(blocks);
    });
  }
}

TEST(HeapOnNodes, AllPagesOfAPlacedBlockAreOnItsNodeWhoeverAllocatesIt) {
  NH_NEEDS_NODES(2);
  for (NodeId from : nodes_to_run_on()) {
    on_node(from, [&] {
      for (NodeId node : placeable_nodes()) {
        std::vector<Block> blocks;
        for (size_t size : mixed_sizes()) {
          blocks.push_back(filled(allocate_on(Placement::node(node), size), size));
        }
        expect_all_on(node, blocks);
        Block& last = blocks.back();
        last.size *= 2;
        last = filled(reallocate(last.start, last.size), last.size);
        expect_all_on(node, {last});
        free_all(blocks);
      }
    });
  }
}

TEST(HeapOnNodes, InterleavedBlocksAreSpreadOverAllNodes) {
  NH_NEEDS_NODES(2);
  const auto nodes = nodes_with_memory();
  for (const Placement placement : {Placement::interleaved(), Placement::weighted()}) {
    const size_t size = MiB(32).value;
    void* block = allocate_on(placement, size);
    ASSERT_NE(block, nullptr);
    memset(block, 1, size);
    EXPECT_EQ(home_node(block), kNoNode);
    auto pages = pages_by_node(block, size);
    // Two huge pages more or less: where they are on, they are what is dealt out.
    const double share = static_cast<double>(size / kPage) / static_cast<double>(nodes.size());
    for (NodeId node : nodes) EXPECT_NEAR(static_cast<double>(pages[node]), share, 2 * 512);
    deallocate(block);
  }
}

TEST(HeapOnNodes, RefusesANodeThatIsNotThere) {
  errno = 0;
  EXPECT_EQ(allocate_on(Placement::node(NodeId{kMaxNodes - 1}), 100), nullptr);
  EXPECT_EQ(errno, EINVAL);
}

// --- across nodes ---

/// A bounded queue between two threads: one pushes, one pops.
class Inbox {
 public:
  bool push(void* block) {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_.load(std::memory_order_acquire) == slots_.size())
      return false;  // acquire: the slot was read
    slots_[head % slots_.size()] = block;
    head_.store(head + 1, std::memory_order_release);  // release: the block is seen with it
    return true;
  }
  void* pop() {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (head_.load(std::memory_order_acquire) == tail) return nullptr;
    void* block = slots_[tail % slots_.size()];
    tail_.store(tail + 1, std::memory_order_release);
    return block;
  }

 private:
  std::array<void*, 1024> slots_{};
  alignas(64) std::atomic<size_t> head_{0};
  alignas(64) std::atomic<size_t> tail_{0};
};

size_t exchanges() {
  const char* count = std::getenv("NUMAHEAP_EXCHANGES");
  if (count != nullptr) return std::strtoul(count, nullptr, 10);
  return tests::machine_is_ours() ? 1'000'000
                                  : 10'000'000;  // an emulated malloc takes some 17 times longer
}

struct ExchangeCounts {
  size_t foreign_blocks = 0;    ///< Allocated here, but of another node.
  size_t misplaced_blocks = 0;  ///< Received, but not of the sender's node.
  size_t corrupt_blocks = 0;
  size_t refused = 0;
};

/// One thread of a ring: allocates blocks for the next one and frees those of the one before it.
ExchangeCounts exchange(NodeId here, NodeId before, Inbox& mine, Inbox& next, size_t count) {
  constexpr size_t kSizes[] = {16, 64, 64, 200, 1024, 4096, 20'000};
  ExchangeCounts counts;
  void* outgoing = nullptr;
  for (size_t sent = 0, received = 0; sent < count || received < count;) {
    if (outgoing == nullptr && sent < count) {
      outgoing = allocate(kSizes[sent % std::size(kSizes)]);
      if (outgoing == nullptr) {
        ++counts.refused;
        return counts;
      }
      counts.foreign_blocks += home_node(outgoing) != here;
      *static_cast<unsigned*>(outgoing) = here.value;
    }
    bool idle = true;
    if (outgoing != nullptr && next.push(outgoing)) {
      outgoing = nullptr;
      ++sent;
      idle = false;
    }
    if (void* block = mine.pop(); block != nullptr) {
      counts.misplaced_blocks += home_node(block) != before;
      counts.corrupt_blocks += *static_cast<unsigned*>(block) != before.value;
      deallocate(block);
      ++received;
      idle = false;
    }
    if (idle) sched_yield();
  }
  return counts;
}

TEST(HeapOnNodes, BlocksFreedOnAnotherNodeAreNeverHandedOutThere) {
  NH_NEEDS_NODES(2);
  const std::vector<NodeId> nodes = nodes_to_run_on();
  const size_t count = exchanges() / nodes.size();
  std::vector<Inbox> inboxes(nodes.size());
  std::vector<ExchangeCounts> counts(nodes.size());
  Statistics before{};
  read_statistics(before);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < nodes.size(); ++i) {
    threads.emplace_back([&, i] {
      ASSERT_TRUE(pin_to(nodes[i]));
      counts[i] = exchange(nodes[i], nodes[(i + nodes.size() - 1) % nodes.size()], inboxes[i],
                           inboxes[(i + 1) % nodes.size()], count);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < nodes.size(); ++i) {
    EXPECT_EQ(counts[i].foreign_blocks, 0u) << "on node " << nodes[i].value << " of " << count;
    EXPECT_EQ(counts[i].misplaced_blocks, 0u) << "on node " << nodes[i].value;
    EXPECT_EQ(counts[i].corrupt_blocks, 0u) << "on node " << nodes[i].value;
    EXPECT_EQ(counts[i].refused, 0u) << "on node " << nodes[i].value;
  }
  Statistics after{};
  read_statistics(after);
  EXPECT_EQ(after.live, before.live) << "all that was exchanged was freed";
  for (unsigned i = 0; i < after.placements; ++i) {
    const PlacementStatistics& placement = after.placement[i];
    if (std::count(nodes.begin(), nodes.end(), placement.node) == 0) continue;
    EXPECT_GT(placement.freed_remote_bytes, before.placement[i].freed_remote_bytes);
  }
}

// --- moving threads ---

/// Allocates blocks that stay, so that the thread's cache runs empty again and again, until its home is `node`.
/// \returns how many it took; 0 if it never became so.
size_t allocations_until_home_is(NodeId node, std::vector<void*>& blocks) {
  for (size_t count = 1; count <= 500'000; ++count) {
    blocks.push_back(allocate(128));
    if (thread_node() == node) return count;
  }
  return 0;
}

TEST(HeapOnNodes, AThreadThatMovesForGoodGetsTheOtherNodeAsItsHome) {
  NH_NEEDS_NODES(2);
  std::thread([] {
    std::vector<void*> blocks;
    for (int round = 0; round < 2; ++round) {
      for (NodeId node : nodes_to_run_on()) {
        ASSERT_TRUE(pin_to(node));
        ASSERT_NE(allocations_until_home_is(node, blocks), 0u) << "node " << node.value;
        std::vector<Block> here;
        for (size_t size : {size_t{16}, size_t{128}, size_t{4096}, size_t{70'000}, MiB(5).value}) {
          here.push_back(filled(allocate(size), size));
        }
        expect_all_on(node, here);
        free_all(here);
        // What the thread holds of its old home goes back there, not into its new cache.
        for (void* block : blocks) deallocate(block);
        blocks.clear();
        for (int i = 0; i < 10'000; ++i) {
          blocks.push_back(allocate(128));
          ASSERT_EQ(home_node(blocks.back()), node);
        }
      }
    }
    for (void* block : blocks) deallocate(block);
  }).join();
}

TEST(HeapOnNodes, AThreadThatIsOnlyPassingThroughKeepsItsHome) {
  NH_NEEDS_NODES(2);
  const std::vector<NodeId> nodes = nodes_to_run_on();
  on_node(nodes[0], [&] {
    ASSERT_EQ(thread_node(), nodes[0]);
    deallocate(allocate(100));
    for (int round = 0; round < 20; ++round) {
      ASSERT_TRUE(pin_to(nodes[1]));
      void* block = allocate(256 + 64 * static_cast<size_t>(round));  // another class: a refill
      EXPECT_EQ(home_node(block), nodes[0]);
      deallocate(block);
      ASSERT_TRUE(pin_to(nodes[0]));
      deallocate(allocate(3000 + 300 * static_cast<size_t>(round)));
    }
    EXPECT_EQ(thread_node(), nodes[0]);
  });
}

TEST(HeapOnNodes, BlocksOfAThreadThatEndedGoHome) {
  NH_NEEDS_NODES(2);
  const std::vector<NodeId> nodes = nodes_to_run_on();
  std::vector<void*> blocks(5000);
  on_node(nodes[0], [&] { ASSERT_EQ(allocate_batch(96, blocks), blocks.size()); });
  on_node(nodes[1], [&] {
    for (void* block : blocks) {
      EXPECT_EQ(home_node(block), nodes[0]);
      deallocate(block);
    }
    for (int i = 0; i < 5000; ++i) {
      void* block = allocate(96);
      ASSERT_EQ(home_node(block), nodes[1]);
      blocks[static_cast<size_t>(i)] = block;
    }
    for (void* block : blocks) deallocate(block);
  });
}

// --- memory that runs out, and memory that is given back ---

/// What a reader of the metrics sees of a node's range.
int64_t metric_of(const char* name, NodeId node) {
  static stats::Sample memory[4096];
  const stats::Sample* sample =
      stats::take_snapshot(memory, stats::Detail::kSummary).find(name, {node});
  return sample == nullptr ? -1 : sample->value;
}

TEST(HeapOnNodes, AFullNodeSpillsAndTheEstimateSeesItAndNobodyIsKilled) {
  NH_NEEDS_NODES(2);
  NH_NEEDS_VM();
  const NodeId full = placeable_nodes().back();
  const size_t bytes = tests::free_bytes(full) + MiB(48).value;
  EXPECT_EQ(
      in_child([&] {
        std::vector<Block> blocks;
        size_t spilled = 0;
        for (size_t taken = 0; taken < bytes; taken += MiB(1).value) {
          blocks.push_back(filled(allocate_on(Placement::node(full), MiB(1).value), MiB(1).value));
          NH_CHILD_EXPECT(blocks.back().start != nullptr);
          NH_CHILD_EXPECT(home_node(blocks.back().start) == full);
        }
        for (const Block& block : blocks) {
          for (const auto& [node, pages] : pages_by_node(block.start, block.size)) {
            spilled += node == full ? 0 : pages * kPage;
          }
        }
        NH_CHILD_EXPECT(spilled >= MiB(16).value);  // some became free while others were filled
        NH_CHILD_EXPECT(spilled < bytes / 2);       // but most fit
        const int64_t estimate = metric_of("numaheap_range_elsewhere_bytes", full);
        const int64_t error = estimate - static_cast<int64_t>(spilled);
        NH_CHILD_EXPECT(std::abs(error) <
                        static_cast<int64_t>(MiB(32).value));  // of a hundred samples
        NH_CHILD_EXPECT(estimate > 0);
      }),
      0);
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

TEST(HeapOnNodes, PurgeGivesTheMemoryOfOneNodeBackAndLeavesTheOthers) {
  NH_NEEDS_NODES(2);
  const std::vector<NodeId> nodes = nodes_to_run_on();
  std::vector<std::vector<Block>> freed(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    on_node(nodes[i], [&] {
      for (int n = 0; n < 1000; ++n) freed[i].push_back(filled(allocate(24'000), 24'000));
      for (const Block& block : freed[i]) deallocate(block.start);
      trim();
    });
  }
  std::vector<size_t> before;
  for (const auto& blocks : freed) {
    before.push_back(resident_pages(blocks));
    EXPECT_GT(before.back(), 1000 * 6 / 2) << "nothing is given back before it is asked for";
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    PurgeResult last{};
    size_t purged = 0;
    for (int calls = 0; calls < 1000; ++calls) {
      last = purge(nodes[i], MiB(4));
      purged += last.purged.value;
      EXPECT_LE(last.purged, MiB(16)) << "a call is bounded";
      if (last.purged == Bytes{0}) break;
    }
    EXPECT_GE(purged, MiB(16).value);
    EXPECT_LT(resident_pages(freed[i]), before[i] / 20) << "node " << nodes[i].value;
    for (size_t j = i + 1; j < nodes.size(); ++j) {
      EXPECT_EQ(resident_pages(freed[j]), before[j])
          << "node " << nodes[j].value << " was not asked";
    }
  }
}

/// What the kernel has promised to all processes.
size_t committed_bytes() {
  std::ifstream in("/proc/meminfo");
  const std::string key = "Committed_AS:";
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key, 0) == 0) return std::strtoul(line.c_str() + key.size(), nullptr, 10) * 1024;
  }
  return 0;
}

TEST(HeapOnNodes, PurgeReturnsTheChargeWhereTheKernelChargesBeforeItIsTouched) {
  NH_NEEDS_NODES(2);
  const NodeId node = nodes_to_run_on().back();
  on_node(node, [&] {
    for (int round = 0; round < 2; ++round) {
      void* block = allocate(MiB(100).value);
      ASSERT_NE(block, nullptr);
      expect_all_on(node, {filled(block, MiB(100).value)});
      deallocate(block);
      const size_t before = committed_bytes();
      while (purge(node, MiB(64)).purged != Bytes{0}) {
      }
      const size_t after = committed_bytes();
      EXPECT_EQ(overcommit_is_strict, after + MiB(90).value < before) << before << " to " << after;
    }
  });
}

TEST(HeapOnNodes, AForkedChildAllocatesOnItsNode) {
  NH_NEEDS_NODES(2);
  for (NodeId node : nodes_to_run_on()) {
    on_node(node, [&] {
      void* before = allocate(1000);
      EXPECT_EQ(in_child([&] {
                  std::vector<Block> blocks;
                  for (size_t size : mixed_sizes()) blocks.push_back(filled(allocate(size), size));
                  expect_all_on(node, blocks);
                  free_all(blocks);
                  NH_CHILD_EXPECT(!testing::Test::HasFailure());
                }),
                0);
      deallocate(before);
    });
  }
}

}  // namespace
}  // namespace numaheap

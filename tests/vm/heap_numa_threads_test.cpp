// Threads of several nodes: what one frees of another goes home, and a thread that moves finds its new home.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "heap_on_nodes.hpp"
#include "numaheap/statistics.hpp"

namespace numaheap {
namespace {

using tests::Block;
using tests::expect_all_on;
using tests::filled;
using tests::free_all;
using tests::nodes_to_run_on;
using tests::on_node;
using tests::pin_to;

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
  size_t foreign_blocks = 0;
  for (const ExchangeCounts& of_one : counts) foreign_blocks += of_one.foreign_blocks;
  std::printf("goal: %zu of %zu\n", foreign_blocks, count * nodes.size());
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
        const size_t needed = allocations_until_home_is(node, blocks);
        ASSERT_NE(needed, 0u) << "node " << node.value;
        if (round == 1) std::printf("goal: after %zu allocations\n", needed);
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

}  // namespace
}  // namespace numaheap

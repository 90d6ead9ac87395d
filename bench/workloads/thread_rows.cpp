// Rows of two threads, and of threads that come and go.

#include <algorithm>
#include <thread>

#include "run.hpp"
#include "team.hpp"

namespace numaheap::bench {

namespace {

constexpr uint32_t kMixedLow = 16;
constexpr uint32_t kMixedHigh = 1024;

/// A bounded queue of pointers from one thread to one other. Each side publishes its position once per kBatch blocks
/// and keeps what it last saw of the other's: were it published with each block, a thread that waits would take the line
/// away from the one that it waits for, and the row would be the slower the less a release costs (with a malloc and a
/// free that do nothing: 44 ns a block, against 29 ns like this).
class Ring {
 public:
  void push(void* block) {
    Backoff backoff;
    // acquire: pairs with the release in pop(); the slots were read.
    while (tail_ - seen_head_ == kSlots) {
      seen_head_ = head_.value.load(std::memory_order_acquire);
      if (tail_ - seen_head_ == kSlots) backoff.wait();
    }
    slots_[tail_ % kSlots] = block;
    // release: pairs with the acquire in pop(); publishes the slots and the blocks' contents.
    if (++tail_ % kBatch == 0) shared_tail_.value.store(tail_, std::memory_order_release);
  }
  void* pop() {
    Backoff backoff;
    // acquire: pairs with the release in push().
    while (next_ == seen_tail_) {
      seen_tail_ = shared_tail_.value.load(std::memory_order_acquire);
      if (next_ == seen_tail_) backoff.wait();
    }
    void* block = slots_[next_ % kSlots];
    // release: pairs with the acquire in push().
    if (++next_ % kBatch == 0) head_.value.store(next_, std::memory_order_release);
    return block;
  }

 private:
  static constexpr size_t kSlots = 2048;
  static constexpr size_t kBatch = 40;  // a divisor of what a round sends
  struct alignas(64) Position {
    std::atomic<size_t> value{0};
  };
  Position head_;
  Position shared_tail_;
  alignas(64) size_t tail_ = 0;  // the producer's
  size_t seen_head_ = 0;
  alignas(64) size_t next_ = 0;  // the consumer's
  size_t seen_tail_ = 0;
  alignas(64) void* slots_[kSlots];
};

void ring(Run& run, uint32_t low, uint32_t high) {
  Team team(2);
  Ring ring;
  run.measure([&](uint64_t rounds) {
    const uint64_t count = rounds * 1000;
    team.run([&ring, low, high, count](unsigned member) {
      if (member == 0) {
        Random random(5);
        for (uint64_t i = 0; i < count; ++i) {
          void* block = take(random.between(low, high));
          write_word(block, i);
          ring.push(block);
        }
      } else {
        uint64_t sum = 0;
        for (uint64_t i = 0; i < count; ++i) {
          void* block = ring.pop();
          sum += *static_cast<uint64_t*>(block);
          std::free(block);
        }
        if (sum != count * (count - 1) / 2) fail("a block changed on its way through the ring");
      }
    });
    return count;
  });
}

/// Both threads put blocks into shared slots and free what they find there: half of all frees are of the other's.
void swap(Run& run, uint32_t low, uint32_t high) {
  constexpr uint32_t kSlots = 1024;
  MappedArray<std::atomic<void*>> slots(kSlots);
  Team team(2);
  run.measure([&](uint64_t rounds) {
    const uint64_t count = rounds * 1000;
    team.run([&slots, low, high, count](unsigned member) {
      Random random(6 + member);
      for (uint64_t i = 0; i < count; ++i) {
        void* block = take(random.between(low, high));
        write_word(block, i);
        // acq_rel: pairs with itself; the other's write to the block is seen, ours is published.
        void* other = slots[random.below(kSlots)].exchange(block, std::memory_order_acq_rel);
        std::free(other);
      }
    });
    return 2 * count;
  });
  for (auto& slot : slots) std::free(slot.load(std::memory_order_relaxed));
}

void two_threads_pair(Run& run, size_t size) {
  Team team(2);
  run.measure([&](uint64_t rounds) {
    const uint64_t count = rounds * 1000;
    team.run([&](unsigned) {
      for (uint64_t i = 0; i < count; ++i) {
        void* block = take(size);
        keep(block);
        std::free(block);
      }
    });
    return 2 * count;
  });
}

/// A thread's own live set, replaced at random.
class LiveSet {
 public:
  LiveSet(uint32_t live, uint32_t low, uint32_t high, uint64_t seed)
      : blocks_(live), low_(low), high_(high), random_(seed) {}
  void replace(uint64_t count) {
    Random random = random_;
    const auto live = static_cast<uint32_t>(blocks_.size());
    for (uint64_t i = 0; i < count; ++i) {
      void*& block = blocks_[random.below(live)];
      std::free(block);
      write_word(block = take(random.between(low_, high_)), i);
    }
    random_ = random;
  }
  void fill() {
    for (void*& block : blocks_) write_word(block = take(random_.between(low_, high_)), 0);
  }

 private:
  MappedArray<void*> blocks_;
  uint32_t low_;
  uint32_t high_;
  Random random_;
};

void two_threads_mixed(Run& run) {
  LiveSet sets[2] = {{10'000, kMixedLow, kMixedHigh, 8}, {10'000, kMixedLow, kMixedHigh, 9}};
  Team team(2);
  team.run([&](unsigned member) {
    sets[member].fill();
    sets[member].replace(10'000);
  });
  run.measure([&](uint64_t rounds) {
    team.run([&](unsigned member) { sets[member].replace(rounds * 1000); });
    return 2 * rounds * 1000;
  });
}

/// As Larson's server simulation: a thread replaces blocks of its live set for a while, ends, and its successor goes on
/// with the set, so that most blocks are freed by another thread than their own, which may be dead.
void larson(Run& run) {
  constexpr uint64_t kLifetime = 10'000;
  LiveSet sets[2] = {{1000, 16, 1000, 10}, {1000, 16, 1000, 11}};
  Team team(2);
  team.run([&](unsigned member) { sets[member].fill(); });
  run.measure([&](uint64_t rounds) {
    team.run([&](unsigned member) {
      for (uint64_t round = 0; round < rounds; ++round) {
        std::thread([&] { sets[member].replace(kLifetime); }).join();
      }
    });
    return 2 * rounds * kLifetime;
  });
}

void thread_start(Run& run) {
  run.measure([](uint64_t rounds) {
    for (uint64_t round = 0; round < rounds; ++round) {
      std::thread([round] {
        constexpr uint32_t kBlocks = 100;
        Random random(round);
        void* blocks[kBlocks];
        for (void*& block : blocks)
          write_word(block = take(random.between(kMixedLow, kMixedHigh)), round);
        for (void* block : blocks) std::free(block);
      }).join();
    }
    return rounds;
  });
}

}  // namespace

void add_thread_rows(std::vector<Row>& rows) {
  rows.push_back({"ring_64", "cross_thread",
                  "64 bytes, allocated by one thread and freed by another",
                  [](Run& run) { ring(run, 64, 64); }});
  rows.push_back({"ring_mixed", "cross_thread",
                  "16 to 1024 bytes, allocated by one thread and freed by another",
                  [](Run& run) { ring(run, kMixedLow, kMixedHigh); }});
  rows.push_back({"swap_64", "cross_thread", "64 bytes, two threads free each other's blocks",
                  [](Run& run) { swap(run, 64, 64); }});
  rows.push_back({"swap_mixed", "cross_thread",
                  "16 to 1024 bytes, two threads free each other's blocks",
                  [](Run& run) { swap(run, kMixedLow, kMixedHigh); }});
  rows.push_back({"mt2_pair_64", "two_threads", "pair_64 on two threads at once",
                  [](Run& run) { two_threads_pair(run, 64); }});
  rows.push_back(
      {"mt2_mixed_10k", "two_threads", "mixed_10k on two threads at once", two_threads_mixed});
  rows.push_back({"larson2", "larson",
                  "live sets of 1000 blocks handed from thread to thread every 10 000 operations",
                  larson});
  rows.push_back({"thread_100", "thread_start",
                  "start and end of a thread that allocates and frees 100 blocks", thread_start});
}

}  // namespace numaheap::bench

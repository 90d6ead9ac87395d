// Rows of one thread and small blocks. A row's operation is one malloc and one free unless its text says otherwise.

#include <malloc.h>

#include <cstring>

#include "run.hpp"

namespace numaheap::bench {

namespace {

constexpr size_t kSizes[] = {16, 64, 256, 1024, 4096};
constexpr uint32_t kMixedLow = 16;
constexpr uint32_t kMixedHigh = 1024;
constexpr uint64_t kPairsPerRound = 1000;

template <class Pair>
void measure_pairs(Run& run, Pair pair) {
  run.measure([&](uint64_t rounds) {
    const uint64_t count = rounds * kPairsPerRound;
    for (uint64_t i = 0; i < count; ++i) pair();
    return count;
  });
}

void pair(Run& run, size_t size) {
  measure_pairs(run, [size] {
    void* block = take(size);
    keep(block);
    std::free(block);
  });
}

enum class Order { kLifo, kFifo, kRandom };

void batch(Run& run, size_t size, Order order) {
  constexpr uint32_t kBlocks = 1000;
  MappedArray<void*> blocks(kBlocks);
  MappedArray<uint32_t> free_order(kBlocks);
  shuffle(free_order, 1);
  for (uint32_t i = 0; i < kBlocks && order != Order::kRandom; ++i) {
    free_order[i] = order == Order::kFifo ? i : kBlocks - 1 - i;
  }
  run.measure([&](uint64_t rounds) {
    for (uint64_t round = 0; round < rounds; ++round) {
      for (void*& block : blocks) block = take(size);
      for (const uint32_t i : free_order) std::free(blocks[i]);
    }
    return rounds * kBlocks;
  });
}

/// Replaces blocks of a live set at random, `used(block)` after each malloc and before each free. As many replacements
/// as there are live blocks come before the measured ones, so that a slow allocator is not measured in a younger heap.
template <class Used>
void replace_mixed(Run& run, uint32_t live, Used used) {
  Random random(2);
  MappedArray<void*> blocks(live);
  for (void*& block : blocks) write_word(block = take(random.between(kMixedLow, kMixedHigh)), 1);
  const auto replace = [&](uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      void*& block = blocks[random.below(live)];
      used(block);
      std::free(block);
      block = take(random.between(kMixedLow, kMixedHigh));
      write_word(block, i);
      used(block);
    }
    return count;
  };
  replace(live);
  run.measure([&](uint64_t rounds) { return replace(rounds * 1000); });
  for (void* block : blocks) std::free(block);
}

void ask_usable(void* block) {
  if (malloc_usable_size(block) < kMixedLow)
    fail("malloc_usable_size is less than what was asked for");
}

void first_touch(Run& run) {
  constexpr uint32_t kBlocks = 200'000;
  Random random(3);
  MappedArray<void*> blocks(kBlocks);
  have_memory_at_hand(size_t{256} << 20);
  run.measure_once([&] {
    for (void*& block : blocks) {
      const size_t size = random.between(kMixedLow, kMixedHigh);
      std::memset(block = take(size), 1, size);
      keep(block);
    }
    return uint64_t{kBlocks};
  });
}

constexpr size_t kGrowFrom = 64;
constexpr size_t kGrowTo = size_t{64} << 10;

void grow(void*& buffer, size_t size) {
  buffer = checked(std::realloc(buffer, size));
  static_cast<volatile char*>(buffer)[size - 1] = 1;
}

/// Two buffers grow by a quarter at a time, in turns, so that neither stays at the top of a heap; or one alone.
void realloc_grow(Run& run, bool with_a_neighbour) {
  run.measure([&](uint64_t rounds) {
    uint64_t steps = 0;
    for (uint64_t round = 0; round < rounds; ++round) {
      void* buffer = take(kGrowFrom);
      void* neighbour = with_a_neighbour ? take(kGrowFrom) : nullptr;
      for (size_t size = kGrowFrom; size < kGrowTo;) {
        size += size / 4;
        grow(buffer, size);
        if (with_a_neighbour) grow(neighbour, size);
        steps += with_a_neighbour ? 2 : 1;
      }
      std::free(buffer);
      std::free(neighbour);
    }
    return steps;
  });
}

void add_aligned_rows(std::vector<Row>& rows) {
  rows.push_back(
      {"aligned_64_200", "aligned", "posix_memalign of 200 bytes at 64, free", [](Run& run) {
         measure_pairs(run, [] {
           void* block = nullptr;
           if (posix_memalign(&block, 64, 200) != 0)
             fail("posix_memalign of 200 bytes at 64 failed");
           keep(block);
           std::free(block);
         });
       }});
  rows.push_back(
      {"aligned_64_256", "aligned", "aligned_alloc of 256 bytes at 64, free", [](Run& run) {
         measure_pairs(run, [] {
           void* block = checked(std::aligned_alloc(64, 256));
           keep(block);
           std::free(block);
         });
       }});
  rows.push_back(
      {"aligned_4096", "aligned", "aligned_alloc of one page at a page, free", [](Run& run) {
         measure_pairs(run, [] {
           void* block = checked(std::aligned_alloc(4096, 4096));
           keep(block);
           std::free(block);
         });
       }});
}

void add_usable_rows(std::vector<Row>& rows) {
  rows.push_back({"usable_pair_64", "usable",
                  "malloc, usable_size, usable_size, free of 64 bytes, as Redis counts",
                  [](Run& run) {
                    measure_pairs(run, [] {
                      void* block = take(64);
                      ask_usable(block);
                      ask_usable(block);
                      std::free(block);
                    });
                  }});
  rows.push_back({"usable_mixed_10k", "usable",
                  "mixed_10k with usable_size after each malloc and before each free",
                  [](Run& run) { replace_mixed(run, 10'000, ask_usable); }});
}

}  // namespace

void add_single_rows(std::vector<Row>& rows) {
  const auto nothing = [](void*) {};
  for (const size_t size : kSizes) {
    rows.push_back({"pair_" + std::to_string(size), "pair", "malloc and free at once",
                    [size](Run& run) { pair(run, size); }});
  }
  for (const auto& [name, order] :
       {std::pair{"lifo", Order::kLifo}, {"fifo", Order::kFifo}, {"rand", Order::kRandom}}) {
    for (const size_t size : kSizes) {
      rows.push_back({"batch_" + std::string(name) + "_" + std::to_string(size), "batch",
                      "1000 blocks allocated, then freed in that order",
                      [size, order = order](Run& run) { batch(run, size, order); }});
    }
  }
  rows.push_back({"mixed_10k", "mixed", "16 to 1024 bytes, random replacement, 10 000 live",
                  [nothing](Run& run) { replace_mixed(run, 10'000, nothing); }});
  rows.push_back({"mixed_1m", "mixed", "16 to 1024 bytes, random replacement, 1 000 000 live",
                  [nothing](Run& run) { replace_mixed(run, 1'000'000, nothing); }});
  add_usable_rows(rows);
  for (const size_t size : {size_t{64}, size_t{512}, size_t{4096}}) {
    rows.push_back(
        {"calloc_" + std::to_string(size), "calloc", "calloc and free", [size](Run& run) {
           measure_pairs(run, [size] {
             void* block = checked(std::calloc(1, size));
             keep(block);
             std::free(block);
           });
         }});
  }
  add_aligned_rows(rows);
  rows.push_back({"realloc_grow", "realloc",
                  "one step of two buffers that grow from 64 bytes to 64 KiB in turns",
                  [](Run& run) { realloc_grow(run, true); }});
  rows.push_back({"realloc_grow_top", "realloc",
                  "one step of a buffer that grows alone, at the top of the heap",
                  [](Run& run) { realloc_grow(run, false); }});
  rows.push_back({"fill_200k", "first_touch",
                  "malloc and first write of 200 000 blocks of 16 to 1024 bytes", first_touch});
}

}  // namespace numaheap::bench

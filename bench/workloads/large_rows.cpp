// Rows of large blocks: alone, and within a live set that is written.

#include <cmath>

#include "run.hpp"

namespace numaheap::bench {

namespace {

constexpr size_t kPage = 4096;

void large_pair(Run& run, size_t size) {
  run.measure([size](uint64_t rounds) {
    const uint64_t count = rounds * 100;
    for (uint64_t i = 0; i < count; ++i) {
      char* block = static_cast<char*>(take(size));
      write_word(block, i);
      write_word(block + size - sizeof(uint64_t), i);
      std::free(block);
    }
    return count;
  });
}

/// Random replacement in a live set of 64 blocks of 32 KiB to 4 MiB, every page written. A fixed number of replacements
/// comes first: until an allocator's caches have grown, page faults are all that is measured.
void large_mixed(Run& run) {
  constexpr uint32_t kLive = 64;
  constexpr uint32_t kSizes = 4096;
  constexpr uint64_t kWarmUp = 4096;
  Random random(4);
  MappedArray<void*> blocks(kLive);
  MappedArray<uint32_t> sizes(kSizes);  // evenly over the logarithm
  for (uint32_t& size : sizes) {
    size = static_cast<uint32_t>(std::exp2(15 + 7 * (random.below(1 << 20) / double{1 << 20})));
  }
  const auto replace = [&](uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      void*& block = blocks[random.below(kLive)];
      std::free(block);
      const uint32_t size = sizes[random.below(kSizes)];
      block = take(size);
      for (size_t at = 0; at < size; at += kPage) write_word(static_cast<char*>(block) + at, i);
    }
    return count;
  };
  replace(kWarmUp);
  run.measure([&](uint64_t rounds) { return replace(rounds * 10); });
  for (void* block : blocks) std::free(block);
}

}  // namespace

void add_large_rows(std::vector<Row>& rows) {
  for (const auto& [name, size] : {std::pair{"large_32k", size_t{32} << 10},
                                   {"large_128k", size_t{128} << 10},
                                   {"large_512k", size_t{512} << 10},
                                   {"large_1m", size_t{1} << 20},
                                   {"large_4m", size_t{4} << 20}}) {
    rows.push_back({name, "large", "malloc, first and last word written, free",
                    [size = size](Run& run) { large_pair(run, size); }});
  }
  rows.push_back({"large_mixed", "large",
                  "random replacement of 32 KiB to 4 MiB, every page written, 64 live",
                  large_mixed});
}

}  // namespace numaheap::bench

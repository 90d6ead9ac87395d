/// \file
/// Question: how much memory does the heap use for itself, beyond what jemalloc does?
///
///   nh_metadata_cost [--mebibytes N]      fills the heap with N MiB (1024) of live blocks of 16 bytes to 1 MiB
///
/// Prints one line of JSON: what the heap says of itself (its own structures, thread caches' included), the part of the
/// page map that covers what it holds, and what it holds.

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "numaheap/alloc.hpp"
#include "numaheap/statistics.hpp"

namespace {

constexpr size_t kPage = 4096;

uint64_t next(uint64_t& random) {
  random ^= random << 13;
  random ^= random >> 7;
  random ^= random << 17;
  return random;
}

/// Mostly small blocks by number, mostly large ones by bytes, as in servers.
size_t next_size(uint64_t& random) {
  const uint64_t draw = next(random);
  if (draw % 1000 == 0) return (size_t{64} << 10) + (draw >> 20) % (size_t{960} << 10);
  return 16 + (draw >> 20) % 1009;
}

}  // namespace

int main(int argc, char** argv) {
  size_t mebibytes = 1024;
  if (argc == 3 && std::strcmp(argv[1], "--mebibytes") == 0)
    mebibytes = std::strtoull(argv[2], nullptr, 10);
  if ((argc != 1 && argc != 3) || mebibytes == 0 || mebibytes > 1'000'000) {
    std::fputs("Usage: nh_metadata_cost [--mebibytes N]   N from 1 to 1000000\n", stderr);
    return 2;
  }
  uint64_t random = 88172645463325252u;
  for (size_t live = 0; live < mebibytes << 20;) {
    const size_t size = next_size(random);
    char* block = static_cast<char*>(numaheap::allocate(size));
    if (block == nullptr) {
      std::fputs("nh_metadata_cost: out of memory\n", stderr);
      return 1;
    }
    for (size_t at = 0; at < size; at += kPage) block[at] = 1;
    live += size;
  }
  static numaheap::Statistics statistics;
  numaheap::read_statistics(statistics);
  std::printf(
      "{\"metadata_bytes\": %zu, \"page_map_bytes\": %zu, \"extent_bytes\": %zu, \"live_bytes\": "
      "%zu, "
      "\"cached_bytes\": %zu}\n",
      statistics.metadata.value, (statistics.extents.value + statistics.free_dirty.value) / kPage,
      statistics.extents.value, statistics.live.value,
      statistics.thread_cached.value + statistics.node_cached.value);
}

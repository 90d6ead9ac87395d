#include "numaheap/numa/residency_sample.hpp"

#include <algorithm>

#include "numaheap/numa/residency.hpp"

namespace numaheap::numa {

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kBatch = 256;  // 4 KiB of stack

/// splitmix64, S. Vigna: a whole generator in one step, so that each stratum has its own.
uint64_t random_number(uint64_t seed) noexcept {
  seed += 0x9e3779b97f4a7c15;
  seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
  seed = (seed ^ (seed >> 27)) * 0x94d049bb133111eb;
  return seed ^ (seed >> 31);
}

}  // namespace

Result<ResidencySample> sample_residency(uintptr_t start, Bytes bytes, NodeId node, size_t pages,
                                         uint64_t seed) noexcept {
  NH_ASSERT(pages > 0);
  const size_t all = bytes.value / kPage;
  const size_t wanted = std::min(pages, all);
  // Stratum i is the pages from all * i / wanted on; in 128 bits, as both may be large.
  const auto boundary = [&](size_t i) {
    return static_cast<size_t>(static_cast<unsigned __int128>(all) * i / wanted);
  };
  size_t resident = 0;
  size_t elsewhere = 0;
  for (size_t done = 0; done < wanted;) {
    const void* addresses[kBatch];
    NodeId nodes[kBatch];
    const size_t count = std::min(kBatch, wanted - done);
    for (size_t i = 0; i < count; ++i) {
      const size_t first = boundary(done + i);
      const size_t size = boundary(done + i + 1) - first;
      const size_t page = first + random_number(seed + done + i) % size;
      addresses[i] = reinterpret_cast<const void*>(start + page * kPage);
    }
    const Status asked = resident_nodes({addresses, count}, {nodes, count});
    if (!asked) return asked.error();
    for (size_t i = 0; i < count; ++i) {
      resident += nodes[i] != kNoNode;
      elsewhere += nodes[i] != kNoNode && nodes[i] != node;
    }
    done += count;
  }
  const auto scaled = [&](size_t hits) {
    return Bytes{wanted == 0
                     ? 0
                     : static_cast<size_t>(static_cast<unsigned __int128>(all) * hits / wanted) *
                           kPage};
  };
  return ResidencySample{wanted, scaled(resident), scaled(elsewhere)};
}

}  // namespace numaheap::numa

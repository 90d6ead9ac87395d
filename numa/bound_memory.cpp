#include "bound_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "numaheap/numa/machine.hpp"
#include "numaheap/numa/residency.hpp"
#include "policy.hpp"
#include "thread_affinity.hpp"

namespace numaheap::numa {

namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kPage = 4096;
constexpr size_t kSampled = 256;
constexpr size_t kShare = 99;  // per cent of the sample that must lie on the node

/// How many of a sample of pages lie on the node, in per cent; nothing if the kernel does not say.
std::optional<size_t> share_on(NodeId node, const char* start, size_t bytes) {
  std::vector<const void*> pages;
  const size_t step = std::max(kPage, bytes / kSampled / kPage * kPage);
  for (size_t offset = 0; offset < bytes; offset += step) pages.push_back(start + offset);
  std::vector<NodeId> nodes(pages.size());
  if (!resident_nodes(pages, nodes)) return std::nullopt;
  return static_cast<size_t>(std::count(nodes.begin(), nodes.end(), node)) * 100 / nodes.size();
}

}  // namespace

BoundMemory::BoundMemory(BoundMemory&& other) noexcept { *this = std::move(other); }
BoundMemory& BoundMemory::operator=(BoundMemory&& other) noexcept {
  std::swap(start_, other.start_);
  std::swap(bytes_, other.bytes_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_, other.mapped_);
  return *this;
}
BoundMemory::~BoundMemory() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_);
}

BoundMemory BoundMemory::on(NodeId node, Bytes bytes, std::string& problem) noexcept {
  problem.clear();
  const Machine machine = read_machine();
  const auto refuse = [&](std::string why) {
    problem = std::move(why);
    return BoundMemory();
  };
  if (!machine.with_memory.contains(node)) return refuse("the node has no memory");
  if (!machine.allowed.contains(node))
    return refuse("the process may not use the node's memory (cpuset.mems)");

  BoundMemory memory;
  memory.bytes_ = (bytes.value + kHugePage - 1) / kHugePage * kHugePage;
  memory.mapped_ = memory.bytes_ + kHugePage;
  void* mapping = mmap(nullptr, memory.mapped_, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return refuse("the kernel gives no address space");
  memory.mapping_ = mapping;
  const uintptr_t start = (reinterpret_cast<uintptr_t>(mapping) + kHugePage - 1) & ~(kHugePage - 1);
  memory.start_ = reinterpret_cast<char*>(start);
  (void)madvise(memory.start_, memory.bytes_,
                MADV_HUGEPAGE);  // else the table walks are measured too

  const RangeSpec spec{Placing::kNode, node, {}};
  const Placed placed = place(start, memory.bytes_, spec, true);
  {
    std::optional<PinnedToNode> pinned;
    if (placed.rung == PolicyRung::kPinnedPopulate) pinned.emplace(node);
    // Not zeroes, and each page touched: reads of pages that were never written are answered by one page.
    std::memset(memory.start_, 1, memory.bytes_);
  }
  if (machine.with_memory.size() == 1) return memory;
  const auto share = share_on(node, memory.start_, memory.bytes_);
  if (!share && placed.rung == PolicyRung::kFirstTouch)
    return refuse(
        "the kernel refuses mbind, and no thread of ours may run on the node: its memory cannot be "
        "had");
  if (!share) {
    problem = "the kernel refuses move_pages, so that it is not verified where the memory lies";
  } else if (*share < kShare) {
    return refuse("only " + std::to_string(*share) + " % of the memory came to lie on the node" +
                  (placed.refused_errno != 0 ? ": the kernel refuses mbind" : ": it is full"));
  }
  return memory;
}

Bytes free_memory(NodeId node) noexcept {
  const std::string path =
      std::string(kNodeDirectory) + "/node" + std::to_string(node.value) + "/meminfo";
  std::ifstream file(path);
  if (!file) file.open("/proc/meminfo");  // a kernel without NUMA
  for (std::string word; file >> word;) {
    size_t kib = 0;
    if (word == "MemFree:" && file >> kib) return KiB(kib);
  }
  return Bytes{0};
}

}  // namespace numaheap::numa

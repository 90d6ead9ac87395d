#include "emergency.hpp"

#include <atomic>
#include <cstdint>

namespace numaheap::alloc {

namespace {

constexpr size_t kRegion = size_t{1} << 20;
alignas(4096) char g_region[kRegion];
std::atomic<size_t> g_used{0};

}  // namespace

void* emergency_allocate(size_t bytes, size_t alignment) noexcept {
  if (alignment < 16) alignment = 16;
  if (bytes > kRegion || alignment > kRegion) return nullptr;
  size_t used = g_used.load(std::memory_order_relaxed);
  size_t start;
  size_t end;
  do {
    start = (used + sizeof(size_t) + alignment - 1) & ~(alignment - 1);
    end = start + ((bytes + 15) & ~size_t{15});
    if (end > kRegion) return nullptr;
    // relaxed: each piece is its taker's alone; nothing is published.
  } while (!g_used.compare_exchange_weak(used, end, std::memory_order_relaxed));
  reinterpret_cast<size_t*>(g_region + start)[-1] = end - start;
  return g_region + start;
}

bool is_emergency(const void* block) noexcept {
  return reinterpret_cast<uintptr_t>(block) - reinterpret_cast<uintptr_t>(g_region) < kRegion;
}

size_t emergency_size(const void* block) noexcept { return static_cast<const size_t*>(block)[-1]; }

}  // namespace numaheap::alloc

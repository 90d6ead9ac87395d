/// \file
/// Question: what does it cost to ask which node a pointer belongs to, warm, on this machine and on one of 64 nodes?
///
/// A machine of 64 nodes is had by giving home_node() the table that the heap would have written there: the program
/// allocates nothing from the heap while that table is in place.

#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>

#include "numaheap/alloc.hpp"

namespace {

constexpr unsigned kNodes = 64;
constexpr unsigned kSpanShift = 40;  // 1 TiB, as the heap reserves
constexpr uintptr_t kBase = uintptr_t{1} << kSpanShift;
constexpr size_t kPointers = 1024;

void ask(benchmark::State& state, const std::array<const void*, kPointers>& pointers) {
  for (auto _ : state) {
    unsigned sum = 0;
    for (const void* pointer : pointers) sum += numaheap::home_node(pointer).value;
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kPointers));
}

void home_node(benchmark::State& state) {
  std::array<const void*, kPointers> pointers;
  for (const void*& pointer : pointers) pointer = numaheap::allocate(64);
  ask(state, pointers);
  for (const void* pointer : pointers) numaheap::deallocate(const_cast<void*>(pointer));
}

void home_node_of_64(benchmark::State& state) {
  const numaheap::detail::RangeTable real = numaheap::detail::nh_ranges_abi1;
  numaheap::detail::RangeTable many{kBase, kSpanShift, kNodes, {}};
  for (unsigned i = 0; i < kNodes; ++i) many.node[i] = kNodes - 1 - i;
  std::array<const void*, kPointers> pointers;
  uint64_t random = 88172645463325252u;
  for (const void*& pointer : pointers) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    pointer = reinterpret_cast<const void*>(kBase + random % (uint64_t{kNodes} << kSpanShift));
  }
  numaheap::detail::nh_ranges_abi1 = many;
  const unsigned last = numaheap::home_node(reinterpret_cast<const void*>(kBase)).value;
  if (last == kNodes - 1) {
    ask(state, pointers);
  } else {
    state.SkipWithError("the table of 64 nodes is not what home_node() reads");
  }
  numaheap::detail::nh_ranges_abi1 = real;
}

}  // namespace

BENCHMARK(home_node);
BENCHMARK(home_node_of_64);
BENCHMARK_MAIN();

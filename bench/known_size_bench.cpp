/// \file
/// Question: what does a pair of allocation and release cost in C++ when the size is known at compile time and inlined,
/// against malloc and free of whatever allocator the process runs on?
///
/// bench/goals runs it under each peer (LD_PRELOAD): the malloc benchmarks change with it, the others do not.

#include <benchmark/benchmark.h>

#include <cstdlib>

#include "numaheap/alloc.hpp"

namespace {

constexpr int kPairs = 1000;  // per iteration, so that the loop of the framework does not count

template <size_t kSize>
void known_size_pair(benchmark::State& state) {
  for (auto _ : state) {
    for (int i = 0; i < kPairs; ++i) {
      void* block = numaheap::allocate(kSize);
      benchmark::DoNotOptimize(block);
      numaheap::deallocate(block, kSize);
    }
  }
  state.SetItemsProcessed(state.iterations() * kPairs);
}

template <size_t kSize>
void unknown_size_pair(benchmark::State& state) {
  size_t size = kSize;
  benchmark::DoNotOptimize(size);
  for (auto _ : state) {
    for (int i = 0; i < kPairs; ++i) {
      void* block = numaheap::allocate(size);
      benchmark::DoNotOptimize(block);
      numaheap::deallocate(block);
    }
  }
  state.SetItemsProcessed(state.iterations() * kPairs);
}

template <size_t kSize>
void malloc_pair(benchmark::State& state) {
  for (auto _ : state) {
    for (int i = 0; i < kPairs; ++i) {
      void* block = std::malloc(kSize);
      benchmark::DoNotOptimize(block);
      std::free(block);
    }
  }
  state.SetItemsProcessed(state.iterations() * kPairs);
}

}  // namespace

/// Not run: bench/goals counts the branches in it.
extern "C" [[gnu::noinline, gnu::used]] void nh_probe_free_of_known_size(void* block) {
  numaheap::deallocate(block, 64);
}

BENCHMARK(known_size_pair<16>);
BENCHMARK(known_size_pair<64>);
BENCHMARK(known_size_pair<1024>);
BENCHMARK(unknown_size_pair<16>);
BENCHMARK(unknown_size_pair<64>);
BENCHMARK(unknown_size_pair<1024>);
BENCHMARK(malloc_pair<16>);
BENCHMARK(malloc_pair<64>);
BENCHMARK(malloc_pair<1024>);
BENCHMARK_MAIN();

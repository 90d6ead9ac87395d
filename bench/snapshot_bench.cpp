/// \file
/// Question: what do the heap's figures cost to read while 64 threads have caches: the whole snapshot, and the live
/// bytes that a Redis-family server reads at every command?

#include <benchmark/benchmark.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "numaheap/alloc.hpp"
#include "numaheap/statistics.hpp"
#include "numaheap/zmalloc.h"

namespace {

/// Threads that have allocated and freed blocks of many classes, and then wait with their caches full.
class WaitingThreads {
 public:
  explicit WaitingThreads(int count) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this] { use_the_heap_and_wait(); });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ready_ == count; });
  }
  ~WaitingThreads() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  WaitingThreads(const WaitingThreads&) = delete;
  WaitingThreads& operator=(const WaitingThreads&) = delete;

 private:
  void use_the_heap_and_wait() {
    constexpr size_t kLargest = 8192;
    std::vector<void*> blocks;
    for (size_t size = 16; size <= kLargest; size += size / 4)
      blocks.push_back(numaheap::allocate(size));
    for (void* block : blocks) numaheap::deallocate(block);
    std::unique_lock lock(mutex_);
    ++ready_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return ending_; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int ready_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

void snapshot(benchmark::State& state) {
  const WaitingThreads threads(static_cast<int>(state.range(0)));
  static numaheap::Statistics statistics;
  for (auto _ : state) {
    numaheap::read_statistics(statistics);
    benchmark::DoNotOptimize(statistics);
  }
  if (statistics.threads < state.range(0))
    state.SkipWithError("the snapshot does not show all threads");
  state.counters["threads_seen"] = statistics.threads;
}

void zmalloc_used(benchmark::State& state) {
  const WaitingThreads threads(static_cast<int>(state.range(0)));
  void* block = numaheap::allocate(64);  // this thread has a cache too
  for (auto _ : state) benchmark::DoNotOptimize(zmalloc_used_memory());
  numaheap::deallocate(block);
}

}  // namespace

BENCHMARK(snapshot)->Arg(1)->Arg(64)->Unit(benchmark::kNanosecond);
BENCHMARK(zmalloc_used)->Arg(1)->Arg(64)->Unit(benchmark::kNanosecond);
BENCHMARK_MAIN();

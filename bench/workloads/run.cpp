#include "run.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace numaheap::bench {

namespace {

/// A figure is measured over at least this share of the wanted time, else the next call is made longer.
constexpr double kEnoughToScale = 0.1;
constexpr double kLargestStep = 16;

double to_ns(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_usec) * 1e3;
}

Cost now() {
  rusage usage;
  timespec wall;
  if (getrusage(RUSAGE_SELF, &usage) != 0 || clock_gettime(CLOCK_MONOTONIC, &wall) != 0)
    fail("cannot read the clocks");
  return {to_ns(usage.ru_utime), to_ns(usage.ru_stime),
          static_cast<double>(wall.tv_sec) * 1e9 + static_cast<double>(wall.tv_nsec)};
}

Cost since(const Cost& start) {
  const Cost end = now();
  return {end.user_ns - start.user_ns, end.system_ns - start.system_ns,
          end.wall_ns - start.wall_ns};
}

}  // namespace

void fail(const char* what) {
  std::fprintf(stderr, "nh_workloads: %s\n", what);
  std::_Exit(1);
}

void Run::measure(const std::function<uint64_t(uint64_t rounds)>& body) {
  const double wanted_ns = seconds_ * 1e9;
  uint64_t rounds = 1;
  for (;;) {
    const Cost start = now();
    operations_ = body(rounds);
    cost_ = since(start);
    const double took_ns = std::max(cost_.cpu_ns(), 1.0);
    if (took_ns >= wanted_ns * 0.5) return;  // one round may take all of the time, or more
    const double missing = wanted_ns / took_ns;
    const double step =
        took_ns >= wanted_ns * kEnoughToScale ? missing : std::min(missing, kLargestStep);
    rounds = std::max(rounds + 1, static_cast<uint64_t>(static_cast<double>(rounds) * step));
  }
}

Cost Run::measure_once(const std::function<uint64_t()>& body) {
  const Cost start = now();
  const uint64_t operations = body();
  const Cost cost = since(start);
  add_cost(cost, operations);
  return cost;
}

void Run::add_cost(const Cost& cost, uint64_t operations) {
  operations_ += operations;
  cost_.user_ns += cost.user_ns;
  cost_.system_ns += cost.system_ns;
  cost_.wall_ns += cost.wall_ns;
}

void have_memory_at_hand(size_t bytes) {
  constexpr size_t kPage = 4096;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("no memory for the row");
  madvise(memory, bytes, MADV_HUGEPAGE);  // refused where there are none
  for (size_t at = 0; at < bytes; at += kPage) static_cast<volatile char*>(memory)[at] = 1;
  munmap(memory, bytes);
}

uint64_t resident_bytes() {
  char text[4096];
  const int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
  if (file < 0) fail("cannot open /proc/self/smaps_rollup");
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) fail("cannot read /proc/self/smaps_rollup");
  text[length] = 0;
  const char* line = std::strstr(text, "\nRss:");
  if (line == nullptr) fail("/proc/self/smaps_rollup has no line Rss");
  return std::strtoull(line + std::strlen("\nRss:"), nullptr, 10) * 1024;
}

}  // namespace numaheap::bench

// nh_machine_probe: two figures of the machine itself, which explain spreads of the rows: how long a cache line takes
// from one CPU to another and back, and how fast plain arithmetic runs. On a shared host both change within minutes.

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>

#include "team.hpp"

namespace {

double ns_now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// Bounces one line between two threads; the best of some rounds, since a descheduled partner is not the line's fault.
double line_round_trip_ns() {
  constexpr int kRounds = 20;
  constexpr int kTrips = 2000;
  alignas(64) std::atomic<int> ball{0};
  numaheap::bench::Team team(2);
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    ball.store(0, std::memory_order_relaxed);
    double start = 0;
    double end = 0;
    team.run([&](unsigned member) {
      if (member == 0) start = ns_now();
      for (int trip = 0; trip < kTrips; ++trip) {
        // acquire and release: the ball is handed over, nothing else is.
        while (ball.load(std::memory_order_acquire) != 2 * trip + static_cast<int>(member))
          __builtin_ia32_pause();
        ball.store(2 * trip + static_cast<int>(member) + 1, std::memory_order_release);
      }
      if (member == 1) end = ns_now();
    });
    best = std::min(best, (end - start) / kTrips);
  }
  return best;
}

double multiply_ns() {
  constexpr int kRounds = 10;
  constexpr int kMultiplies = 2'000'000;
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const double start = ns_now();
    uint64_t product = 3;
    for (int i = 0; i < kMultiplies; ++i) {
      product *= 0x9E3779B97F4A7C15u;
      asm volatile("" : "+r"(product));
    }
    best = std::min(best, (ns_now() - start) / kMultiplies);
  }
  return best;
}

}  // namespace

int main() {
  cpu_set_t allowed;
  const bool two_cpus =
      sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) > 1;
  if (two_cpus) {
    std::printf("{\"line_round_trip_ns\": %.1f, ", line_round_trip_ns());
  } else {
    std::printf("{\"line_round_trip_ns\": null, ");
  }
  std::printf("\"dependent_multiply_ns\": %.3f}\n", multiply_ns());
}

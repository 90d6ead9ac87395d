#include "cpu_team.hpp"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <cerrno>
#include <cstring>

#include "numaheap/numa/cpu_set.hpp"

namespace numaheap::numa {

namespace {

using Clock = std::chrono::steady_clock;

struct Team {
  const TeamWork& work;
  std::atomic<unsigned> ready{0};
  std::atomic<bool> go{false};
  std::atomic<bool> stop{false};  // also before `go`: then nobody works
  std::atomic<bool> is_misplaced{false};
};

struct Member {
  Team* team;
  size_t index;
  unsigned cpu;
  double per_second = 0;
  double per_cpu_second = 0;
  pthread_t thread{};
};

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void* work(void* argument) {
  Member& member = *static_cast<Member*>(argument);
  Team& team = *member.team;
  CpuSet cpus;
  cpus.insert(member.cpu);
  if (!set_thread_affinity(cpus)) team.is_misplaced.store(true, std::memory_order_relaxed);
  team.ready.fetch_add(1, std::memory_order_release);  // pairs with the acquire in run_team()
  while (!team.go.load(std::memory_order_acquire)) sched_yield();
  const Clock::time_point start = Clock::now();
  const double cpu_start = cpu_seconds();
  const uint64_t done = team.work(member.index, team.stop);
  const double on_cpu = cpu_seconds() - cpu_start;
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (seconds > 0) member.per_second = static_cast<double>(done) / seconds;
  if (on_cpu > 0) member.per_cpu_second = static_cast<double>(done) / on_cpu;
  return nullptr;
}

void sleep_for(std::chrono::nanoseconds time) {
  timespec left{static_cast<time_t>(time.count() / 1'000'000'000),
                static_cast<long>(time.count() % 1'000'000'000)};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

}  // namespace

TeamResult run_team(std::span<const unsigned> cpus, std::chrono::nanoseconds time,
                    const TeamWork& work_of) noexcept {
  Team team{work_of};
  std::vector<Member> members;
  for (unsigned cpu : cpus) members.push_back({&team, members.size(), cpu});
  TeamResult result;
  size_t started = 0;
  for (; started < members.size(); ++started) {
    const int error = pthread_create(&members[started].thread, nullptr, work, &members[started]);
    if (error == 0) continue;
    result.problem = std::string("no thread could be started: ") + strerrordesc_np(error);
    break;
  }
  while (team.ready.load(std::memory_order_acquire) != started) sched_yield();
  if (result.problem.empty() && team.is_misplaced.load(std::memory_order_relaxed))
    result.problem = "a thread could not be put on its CPU";
  if (!result.problem.empty()) team.stop.store(true, std::memory_order_relaxed);
  team.go.store(true, std::memory_order_release);
  if (result.problem.empty()) sleep_for(time);
  team.stop.store(true, std::memory_order_relaxed);
  for (size_t i = 0; i < started; ++i) pthread_join(members[i].thread, nullptr);
  if (!result.problem.empty()) return result;
  for (const Member& member : members) {
    result.per_second.push_back(member.per_second);
    result.per_cpu_second.push_back(member.per_cpu_second);
  }
  return result;
}

}  // namespace numaheap::numa

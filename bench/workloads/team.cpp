#include "team.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <chrono>

namespace numaheap::bench {

namespace {

constexpr unsigned kSpins = 256;  // some microseconds of pauses
constexpr std::chrono::microseconds kSleep{20};

/// Puts the calling thread on the n-th CPU that the process may use, counted round.
void pin_to_nth_cpu(unsigned n, const cpu_set_t& allowed) {
  const int cpus = CPU_COUNT(&allowed);
  if (cpus < 2) return;
  int skip = static_cast<int>(n) % cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || skip-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);  // refused: the scheduler places it
    return;
  }
}

}  // namespace

Team::Team(unsigned members) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) CPU_ZERO(&allowed);
  for (unsigned member = 0; member < members; ++member) {
    threads_.emplace_back([this, member, allowed] {
      pin_to_nth_cpu(member, allowed);
      prctl(PR_SET_TIMERSLACK, 1);  // nanosecond: a sleep in Backoff takes as long as it says
      serve(member);
    });
  }
}

Team::~Team() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  start_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Team::run(const std::function<void(unsigned)>& part) {
  std::unique_lock lock(mutex_);
  part_ = &part;
  working_ = static_cast<unsigned>(threads_.size());
  ++generation_;
  start_.notify_all();
  done_.wait(lock, [this] { return working_ == 0; });
}

void Team::serve(unsigned member) {
  unsigned seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    start_.wait(lock, [&] { return ending_ || generation_ != seen; });
    if (ending_) return;
    seen = generation_;
    lock.unlock();
    (*part_)(member);
    lock.lock();
    if (--working_ == 0) done_.notify_one();
  }
}

void Backoff::wait() {
  if (++spins_ < kSpins) {
    __builtin_ia32_pause();
  } else {
    std::this_thread::sleep_for(kSleep);
  }
}

}  // namespace numaheap::bench

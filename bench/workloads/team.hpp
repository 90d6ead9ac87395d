/// \file
/// Team: threads that live as long as a row and do their parts of it at once, each on a CPU of its own where there are
/// enough. Backoff: how one of them waits for another without hiding that it waits.

#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace numaheap::bench {

class Team {
 public:
  explicit Team(unsigned members);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  /// Calls part(0), part(1)... on the members' threads and waits for all of them.
  void run(const std::function<void(unsigned member)>& part);

 private:
  void serve(unsigned member);

  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
  const std::function<void(unsigned)>* part_ = nullptr;
  unsigned generation_ = 0;
  unsigned working_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

/// Spins a little, then sleeps: what a thread spends on waiting for a slower partner, or for one whose CPU was taken by
/// another process, would otherwise be counted as the allocator's.
class Backoff {
 public:
  void wait();

 private:
  unsigned spins_ = 0;
};

}  // namespace numaheap::bench

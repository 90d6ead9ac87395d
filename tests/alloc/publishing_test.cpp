// Publishing: when a process puts its figures where others see them, and that it shows nothing that is not its own.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <vector>

#include "alloc/slow_path.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/stats/info.hpp"
#include "numaheap/stats/process_view.hpp"
#include "own_process.hpp"

namespace numaheap {
namespace {

using stats::ProcessView;
using tests::run_in_own_process;

/// Makes slow paths until `happened` or for ten seconds. \returns whether it happened.
template <class Happened>
bool allocate_until(Happened happened) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 100; ++i) {
      deallocate(allocate(6 << 20));
    }
    if (happened()) return true;
    usleep(1000);
  }
  return false;
}

bool publishes(int pid) { return ProcessView::open(pid).has_value(); }

int64_t live_of(int pid) {
  Result<ProcessView> view = ProcessView::open(pid);
  if (!view) return -1;
  const auto read = view->read();
  int64_t live = -1;
  return read && (*read.value()).snapshot().sum(stats::kLiveBytes, live) ? live : -1;
}

NH_OWN_PROCESS(PublishesWhileItAllocates) {
  const auto publishing = [] { return publishes(getpid()); };
  NH_CHILD_EXPECT(allocate_until(publishing));
  void* much = memset(allocate(200 << 20), 1, 1);
  NH_CHILD_EXPECT(allocate_until([] { return live_of(getpid()) >= 200 << 20; }));
  deallocate(much);
  NH_CHILD_EXPECT(allocate_until([] {
    const int64_t live = live_of(getpid());
    return live >= 0 && live < 200 << 20;
  }));
}

TEST(Publishing, HappensOnTheWayOfAllocations) {
  const tests::OwnProcess process = run_in_own_process("PublishesWhileItAllocates");
  EXPECT_EQ(process.status, 0) << process.output;
}

NH_OWN_PROCESS(StartsAndWaits) {
  std::vector<void*> blocks(3000);
  for (void*& block : blocks) block = allocate(10'000);
  NH_CHILD_EXPECT(publishes(getpid()));
  for (void* block : blocks) deallocate(block);
}

TEST(Publishing, ShowsAServerThatStartsQuicklyAndThenWaits) {
  const tests::OwnProcess process =
      run_in_own_process("StartsAndWaits", {.environment = {"NUMAHEAP_PUBLISH_MS=60000"}});
  EXPECT_EQ(process.status, 0) << process.output;
}

NH_OWN_PROCESS(PublishesNothing) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(400);
  NH_CHILD_EXPECT(allocate_until([&] { return std::chrono::steady_clock::now() > end; }));
  NH_CHILD_EXPECT(!publishes(getpid()));
}

TEST(Publishing, CanBeTurnedOff) {
  const tests::OwnProcess process =
      run_in_own_process("PublishesNothing", {.environment = {"NUMAHEAP_PUBLISH_MS=0"}});
  EXPECT_EQ(process.status, 0) << process.output;
}

NH_OWN_PROCESS(ForksWhilePublishing) {
  NH_CHILD_EXPECT(allocate_until([] { return publishes(getpid()); }));
  int ready[2];
  int done[2];
  NH_CHILD_EXPECT(pipe(ready) == 0 && pipe(done) == 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte = 0;
    if (write(ready[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 1) _exit(1);
    // and once it allocates it has figures of its own
    _exit(allocate_until([] { return publishes(getpid()); }) ? 0 : 2);
  }
  char byte = 0;
  NH_CHILD_EXPECT(read(ready[0], &byte, 1) == 1);
  NH_CHILD_EXPECT(!publishes(child));
  NH_CHILD_EXPECT(publishes(getpid()));
  NH_CHILD_EXPECT(write(done[1], &byte, 1) == 1);
  int status = 0;
  NH_CHILD_EXPECT(waitpid(child, &status, 0) == child);
  NH_CHILD_EXPECT(status == 0);
}

TEST(Publishing, AForkedChildStartsAnew) {
  const tests::OwnProcess process = run_in_own_process("ForksWhilePublishing");
  EXPECT_EQ(process.status, 0) << process.output;
}

NH_OWN_PROCESS(IsIdle) {
  NH_CHILD_EXPECT(allocate_until([] { return publishes(getpid()); }));
  // From here on this thread allocates nothing: what is published is new all the same, with the arenas' own books.
  Result<ProcessView> view = ProcessView::open(getpid());
  const auto age_below = [&](std::chrono::nanoseconds age) {
    const auto read = view->read();
    int64_t allocated = 0;
    return read && (*read.value()).age() < age &&
           (*read.value()).snapshot().sum(stats::kAllocatedBytes, allocated);
  };
  for (int i = 0; i < 3; ++i) {
    bool fresh = false;
    for (int k = 0; k < 1000 && !fresh; ++k) {
      usleep(10'000);
      fresh = age_below(std::chrono::milliseconds(200));
    }
    NH_CHILD_EXPECT(fresh);
    usleep(250'000);
  }
}

TEST(Publishing, AnIdleProcessIsSeenAsItIsWithABackgroundThread) {
  const tests::OwnProcess process =
      run_in_own_process("IsIdle", {.environment = {"NUMAHEAP_BACKGROUND=on"}});
  EXPECT_EQ(process.status, 0) << process.output;
}

}  // namespace
}  // namespace numaheap

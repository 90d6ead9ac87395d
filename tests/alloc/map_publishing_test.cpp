// Maps for others: drawn while somebody looks, and not shown by a forked child.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <string>

#include "alloc/slow_path.hpp"
#include "numaheap/alloc.hpp"
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
    for (int i = 0; i < 100; ++i) deallocate(allocate(6 << 20));
    if (happened()) return true;
    usleep(1000);
  }
  return false;
}

bool publishes(int pid) { return ProcessView::open(pid).has_value(); }

bool has_map_file(int pid) {
  for (int file = 0; file < 1024; ++file) {
    const std::string link = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(file);
    char target[64] = "";
    if (readlink(link.c_str(), target, sizeof target - 1) > 0 &&
        std::strcmp(target, "/memfd:numaheap-map (deleted)") == 0)
      return true;
  }
  return false;
}

NH_OWN_PROCESS(DrawsMaps) {
  NH_CHILD_EXPECT(allocate_until([] { return publishes(getpid()); }));
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  NH_CHILD_EXPECT(allocate_until([&] { return std::chrono::steady_clock::now() > end; }));
  NH_CHILD_EXPECT(!has_map_file(getpid()));  // nobody looks
  auto view = std::make_unique<Result<ProcessView>>(ProcessView::open(getpid()));
  const auto not_yet = (*view)->read_map();
  NH_CHILD_EXPECT(!not_yet && not_yet.error().code == ErrorCode::kNotFound);
  void* const block = memset(allocate(9 << 20), 1, 9 << 20);
  const auto shown = [&] {
    const auto maps = (*view)->read_map();
    if (!maps) return size_t{0};
    for (const stats::ForeignMap& range : *maps) {
      const uint64_t offset = reinterpret_cast<uintptr_t>(block) + (4 << 20) - range.map.start;
      if (offset < range.map.opened) return size_t{range.cells[offset / range.map.cell_bytes].used};
    }
    return size_t{0};
  };
  NH_CHILD_EXPECT(allocate_until([&] { return shown() != 0; }));
  NH_CHILD_EXPECT(has_map_file(getpid()));
  view.reset();  // it has the file open, too
  const pid_t child = fork();
  if (child == 0) _exit(has_map_file(getpid()) ? 1 : 0);
  int status = 0;
  NH_CHILD_EXPECT(waitpid(child, &status, 0) == child && status == 0);
  deallocate(block);
}

TEST(MapPublishing, DrawsMapsWhileSomebodyLooks) {
  const tests::OwnProcess process = run_in_own_process("DrawsMaps");
  EXPECT_EQ(process.status, 0) << process.output;
  const tests::OwnProcess with_thread =
      run_in_own_process("DrawsMaps", {.environment = {"NUMAHEAP_BACKGROUND=on"}});
  EXPECT_EQ(with_thread.status, 0) << with_thread.output;
}

}  // namespace
}  // namespace numaheap

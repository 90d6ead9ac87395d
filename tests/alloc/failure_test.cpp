// What the kernel refuses: address space, memory, mbind(2), locked pages. A clear report, errno as malloc(3) says, and a
// heap that works with what is left. And NUMAHEAP_BACKEND=system, which reserves nothing.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "alloc/heap.hpp"
#include "books.hpp"
#include "numa/sanitizer.hpp"
#include "numa/test_space.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/limits.hpp"
#include "numaheap/report.hpp"
#include "own_process.hpp"
#include "skip.hpp"

namespace numaheap {
namespace {

using tests::OwnProcess;
using tests::run_in_own_process;
using tests::statistics;

constexpr size_t kMiB = size_t{1} << 20;

std::vector<std::string> g_reports;
void listen(const Report& report, void*) noexcept { g_reports.emplace_back(report.text); }
bool was_reported(const char* part) {
  return std::any_of(g_reports.begin(), g_reports.end(), [part](const std::string& text) {
    return text.find(part) != std::string::npos;
  });
}

/// The heap serves all kinds of requests, and its books are even after.
void expect_working_heap() {
  const Bytes before = statistics().live;
  std::vector<unsigned char*> blocks;
  for (size_t size : {8u, 100u, 5000u, 100000u, 3u << 20, 6u << 20}) {
    for (int i = 0; i < 3; ++i) {
      auto* block = static_cast<unsigned char*>(i == 0   ? allocate(size)
                                                : i == 1 ? allocate_zeroed(size)
                                                         : allocate_aligned(64, size));
      NH_CHILD_EXPECT(block != nullptr);
      memset(block, 7, size);
      blocks.push_back(block);
    }
  }
  for (unsigned char*& block : blocks) {
    auto* moved = static_cast<unsigned char*>(reallocate(block, 2 * usable_size(block)));
    NH_CHILD_EXPECT(moved != nullptr && *moved == 7);
    block = moved;
  }
  for (unsigned char* block : blocks) deallocate(block);
  NH_CHILD_EXPECT(statistics().live == before);
}

/// Takes blocks until there are no more. They are linked through themselves.
void** take_all(size_t size) {
  void** last = nullptr;
  errno = 0;
  while (auto** block = static_cast<void**>(allocate(size))) {
    *block = last;
    last = block;
  }
  NH_CHILD_EXPECT(errno == ENOMEM);
  return last;
}
void free_list(void** last) {
  while (last != nullptr) {
    void** const block = last;
    last = static_cast<void**>(*block);
    deallocate(block);
  }
}

rlim_t g_limit;
void limit_address_space() {
  const rlimit limit{g_limit, g_limit};
  setrlimit(RLIMIT_AS, &limit);
}

NH_OWN_PROCESS(WorksInLittleAddressSpace) {
  expect_working_heap();
  NH_CHILD_EXPECT(alloc::g_heap.space().span() < GiB(1));
  for (size_t size : {100u, 5000u, 200000u, 6u << 20}) {
    free_list(take_all(size));
    NH_CHILD_EXPECT(allocate(size) != nullptr);  // at once
    expect_working_heap();
  }
}

TEST(Failure, UnderALimitOfAddressSpaceTheRangesAreSmallerAndWhenTheyAreFullItIsEnomem) {
  if (NH_SANITIZED) NH_SKIP("a sanitizer's shadow takes more address space than the limit");
  g_limit = GiB(1).value;
  const OwnProcess process =
      run_in_own_process("WorksInLittleAddressSpace", {.prepare = limit_address_space});
  EXPECT_EQ(process.status, 0) << process.output;
}

NH_OWN_PROCESS(HasNoAddressSpaceAtAll) {
  set_report_callback(listen, nullptr);
  for (int i = 0; i < 3; ++i) {
    errno = 0;
    NH_CHILD_EXPECT(allocate(100) == nullptr && errno == ENOMEM);
    NH_CHILD_EXPECT(allocate_aligned(4096, 100000) == nullptr && errno == ENOMEM);
    NH_CHILD_EXPECT(allocate_zeroed(100000) == nullptr && errno == ENOMEM);
    NH_CHILD_EXPECT(allocate_on(Placement::node(NodeId{0}), 100) == nullptr && errno == ENOMEM);
  }
  int not_ours = 0;
  deallocate(&not_ours);
  NH_CHILD_EXPECT(usable_size(&not_ours) == 0 && !owns(&not_ours));
  NH_CHILD_EXPECT(statistics().live == Bytes{0});
  NH_CHILD_EXPECT(purge(GiB(1)).purged == Bytes{0} && trim() == Bytes{0});
  NH_CHILD_EXPECT(was_reported("the heap cannot start"));
}

TEST(Failure, WhereNoRangeCanBeReservedEveryRequestIsRefusedAndItIsReported) {
  if (NH_SANITIZED) NH_SKIP("a sanitizer's shadow takes more address space than the limit");
  g_limit = 90 * kMiB;
  const OwnProcess process =
      run_in_own_process("HasNoAddressSpaceAtAll", {.prepare = limit_address_space});
  EXPECT_EQ(process.status, 0) << process.output;
}

NH_OWN_PROCESS(MeetsALimitOfData) {
  expect_working_heap();
  const auto data = static_cast<rlim_t>(numa::kilobytes_of("/proc/self/status", "VmData:") * 1024);
  const rlimit tight{data + 32 * kMiB, RLIM_INFINITY};
  NH_CHILD_EXPECT(setrlimit(RLIMIT_DATA, &tight) == 0);
  for (size_t size : {200000u, 5000u, 6u << 20, 100u}) {
    void** const all = take_all(size);
    NH_CHILD_EXPECT(all != nullptr);
    free_list(all);
    NH_CHILD_EXPECT(allocate(size) != nullptr);  // at once
    expect_working_heap();
  }
}

TEST(Failure, WhereTheKernelRefusesMoreMemoryItIsEnomemUntilSomeIsFreed) {
  if (NH_SANITIZED) NH_SKIP("a sanitizer's own memory meets the limit, too");
  const OwnProcess process = run_in_own_process("MeetsALimitOfData");
  EXPECT_EQ(process.status, 0) << process.output;
}

NH_OWN_PROCESS(MeetsNoMbind) {
  set_report_callback(listen, nullptr);
  expect_working_heap();
  const Statistics now = statistics();
  const bool one_node = now.placements == 1;
  for (unsigned i = 0; i < now.placements; ++i) {
    const numa::PolicyRung rung = now.placement[i].rung;
    NH_CHILD_EXPECT(rung == numa::PolicyRung::kNotNeeded ||
                    rung == numa::PolicyRung::kPinnedPopulate ||
                    rung == numa::PolicyRung::kFirstTouch);
  }
  NH_CHILD_EXPECT(one_node == g_reports.empty());
  NH_CHILD_EXPECT(one_node || was_reported("mbind(2)"));
}

TEST(Failure, WhereMbindIsRefusedTheHeapWorksAndTheStepDownIsReported) {
  const OwnProcess filtered =
      run_in_own_process("MeetsNoMbind", {.prepare = [] {
                           if (!tests::refuse_system_calls({{SYS_mbind, EPERM}})) _exit(124);
                         }});
  EXPECT_EQ(filtered.status, 0) << filtered.output;
  const OwnProcess told =
      run_in_own_process("MeetsNoMbind", {.environment = {"NUMAHEAP_MBIND=off"}});
  EXPECT_EQ(told.status, 0) << told.output;
}

NH_OWN_PROCESS(LocksAllItsMemory) {
  deallocate(allocate(1));
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) _exit(77);
  expect_working_heap();
  NH_CHILD_EXPECT(numa::resident() <
                  512 * 1024);  // kilobytes: what is only reserved is not populated
  purge(GiB(1));                // locked pages stay, which is no error
  expect_working_heap();
}

TEST(Failure, WithAllMemoryLockedOnlyWhatIsOpenedIsPopulated) {
  if (NH_SANITIZED) NH_SKIP("a sanitizer's shadow cannot be locked");
  const OwnProcess process = run_in_own_process("LocksAllItsMemory");
  if (process.status == 77) NH_SKIP("mlockall(2) is refused: RLIMIT_MEMLOCK");
  EXPECT_EQ(process.status, 0) << process.output;
}

TEST(Failure, ErrnoIsKeptUnlessARequestFails) {
  for (size_t size : {size_t{8}, size_t{100000}, 9 * kMiB}) {
    errno = 77;
    void* block = allocate(size);
    EXPECT_EQ(errno, 77);
    block = reallocate(block, size * 3);
    EXPECT_EQ(errno, 77);
    deallocate(block);
    EXPECT_EQ(errno, 77);
    purge(MiB(64));
    EXPECT_EQ(errno, 77);
  }
  EXPECT_EQ(allocate(~size_t{0}), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  for (size_t size : {~size_t{0} / 2 + 1, ~size_t{0} - 4096}) {
    errno = 0;
    EXPECT_EQ(allocate_zeroed(size), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    errno = 0;
    EXPECT_EQ(allocate_aligned(64, size), nullptr);
    EXPECT_EQ(errno, ENOMEM);
  }
  for (size_t alignment : {size_t{0}, size_t{3}, size_t{48}}) {
    errno = 0;
    EXPECT_EQ(allocate_aligned(alignment, 100), nullptr);
    EXPECT_EQ(errno, EINVAL);
  }
  errno = 0;
  EXPECT_EQ(allocate_on(Placement::node(NodeId{1023}), 100), nullptr);
  EXPECT_EQ(errno, EINVAL);
}

NH_OWN_PROCESS(RunsOnTheSystemsMalloc) {
  auto* of_libc = static_cast<char*>(malloc(50));
  of_libc = static_cast<char*>(reallocate(of_libc, 100));  // the very first call
  NH_CHILD_EXPECT(of_libc != nullptr && !owns(of_libc));
  deallocate(of_libc);
  for (size_t size : {0u, 8u, 100u, 5000u, 100000u, 6u << 20}) {
    auto* block = static_cast<unsigned char*>(allocate(size));
    NH_CHILD_EXPECT(block != nullptr && usable_size(block) >= size &&
                    malloc_usable_size(block) >= size);
    memset(block, 3, size);
    block = static_cast<unsigned char*>(reallocate(block, size + 1000));
    NH_CHILD_EXPECT(block != nullptr && (size == 0 || (block[0] == 3 && block[size - 1] == 3)));
    deallocate(block);
    block = static_cast<unsigned char*>(allocate_zeroed(size));
    NH_CHILD_EXPECT(std::all_of(block, block + size, [](unsigned char b) { return b == 0; }));
    NH_CHILD_EXPECT(expand_in_place(block, usable_size(block)));
    NH_CHILD_EXPECT(!expand_in_place(block, usable_size(block) + 1));
    deallocate(block, size, 1);
    for (size_t alignment = 1; alignment <= 65536; alignment *= 2) {
      void* aligned = allocate_aligned(alignment, size);
      NH_CHILD_EXPECT(reinterpret_cast<uintptr_t>(aligned) % alignment == 0);
      deallocate(aligned, size, alignment);
      aligned = allocate_on(Placement::interleaved(), size, alignment);
      NH_CHILD_EXPECT(reinterpret_cast<uintptr_t>(aligned) % alignment == 0);
      deallocate(aligned);
    }
  }
  void* batch[100];
  NH_CHILD_EXPECT(allocate_batch(40, batch) == 100);
  NH_CHILD_EXPECT(home_node(batch[0]) == kNoNode && !owns(batch[0]));
  deallocate_batch(batch);
  deallocate(allocate(48), 48);  // inlined
  NH_CHILD_EXPECT(trim() == Bytes{0} && purge(GiB(1)).purged == Bytes{0});
  thread_idle();
  housekeep();
  NH_CHILD_EXPECT(statistics().live == Bytes{0} && statistics().placements == 0 &&
                  used_memory() == 0);
  NH_CHILD_EXPECT(read_class_statistics({}) == 0 && read_thread_statistics({}) == 0 &&
                  read_bin_statistics({}) == 0);
  NH_CHILD_EXPECT(read_arena_statistics().active == Bytes{0});
  NH_CHILD_EXPECT(!set_thread_home(Placement::node(NodeId{0})));
  NH_CHILD_EXPECT(!set_node_limit(NodeId{0}, {MiB(1), MiB(1)}));
  NH_CHILD_EXPECT(thread_node() != kNoNode);
  NH_CHILD_EXPECT(statistics().misuses == 0);
}

TEST(Failure, TheSystemsMallocServesEveryFunction) {
  const OwnProcess process =
      run_in_own_process("RunsOnTheSystemsMalloc", {.environment = {"NUMAHEAP_BACKEND=system"}});
  EXPECT_EQ(process.status, 0) << process.output;
}

}  // namespace
}  // namespace numaheap

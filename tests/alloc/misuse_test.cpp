// Pointers that are not ours, or not the start of a live block: dropped, counted, and reported once for each kind of
// mistake; or the process stops.
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "alloc/heap.hpp"
#include "books.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/report.hpp"
#include "own_process.hpp"

namespace numaheap {
namespace {

using tests::OwnProcess;
using tests::run_in_own_process;
using tests::statistics;

constexpr size_t kPage = 4096;

char* offset_of(void* block, size_t bytes) { return static_cast<char*>(block) + bytes; }

/// Pointers that have nothing to do with the heap.
std::vector<void*> foreign_pointers() {
  static int in_the_program;
  static int on_the_stack_of_nobody;
  deallocate(allocate(1));
  const numa::AddressSpace& space = alloc::g_heap.space();
  const uintptr_t start = space.range_start(0);
  const auto at = [](uintptr_t address) { return reinterpret_cast<void*>(address); };
  return {&in_the_program,
          &on_the_stack_of_nobody + 1,
          at(8),
          at(16),
          at(~uintptr_t{15}),
          at(uintptr_t{1} << 47),
          at(start - 16),
          at(start + space.opened(0).value),  // reserved, not opened
          at(start + space.span().value - 16),
          at(start + (uintptr_t{space.range_count()} << space.span_shift())),
          space.side_table(),
          reinterpret_cast<void*>(&foreign_pointers)};
}

/// Frees it in every way there is. Nothing may come of it but a count.
void expect_dropped(void* pointer) {
  SCOPED_TRACE(pointer);
  Statistics before = statistics();
  deallocate(pointer);
  EXPECT_EQ(statistics().misuses, before.misuses + 1);
  deallocate_batch(std::array<void*, 1>{pointer});
  EXPECT_EQ(statistics().misuses, before.misuses + 2);
  errno = 0;
  EXPECT_EQ(reallocate(pointer, 100), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(statistics().misuses, before.misuses + 3);
  EXPECT_FALSE(expand_in_place(pointer, size_t{64} << 20));
  EXPECT_EQ(statistics().live, before.live);
  EXPECT_EQ(statistics().thread_cached, before.thread_cached);
}

TEST(Misuse, AForeignPointerIsDroppedAndCounted) {
  int on_the_stack = 0;
  const std::unique_ptr<void, decltype(&free)> of_libc(malloc(100), free);
  std::vector<void*> pointers = foreign_pointers();
  pointers.push_back(&on_the_stack);
  pointers.push_back(of_libc.get());
  for (void* pointer : pointers) {
    expect_dropped(pointer);
    EXPECT_EQ(usable_size(pointer), 0u) << pointer;
    EXPECT_FALSE(owns(pointer)) << pointer;
    const uint64_t before = statistics().misuses;
    deallocate(pointer, 48);  // a size known when this is compiled
    deallocate(pointer, 100, 64);
    EXPECT_EQ(statistics().misuses, before + 2);
  }
  EXPECT_EQ(home_node(&on_the_stack), kNoNode);
  EXPECT_EQ(home_node(of_libc.get()), kNoNode);
  EXPECT_EQ(home_node(nullptr), kNoNode);
}

TEST(Misuse, NullIsNoMistake) {
  const uint64_t before = statistics().misuses;
  deallocate(nullptr);
  deallocate(nullptr, 48);
  deallocate(nullptr, 100, 64);
  deallocate_batch(std::array<void*, 2>{});
  deallocate(reallocate(nullptr, 100));
  EXPECT_FALSE(expand_in_place(nullptr, 1));
  EXPECT_EQ(usable_size(nullptr), 0u);
  EXPECT_FALSE(owns(nullptr));
  EXPECT_EQ(statistics().misuses, before);
}

TEST(Misuse, AnInteriorPointerOfALargeBlockIsDropped) {
  for (size_t size : {size_t{20000}, size_t{100000}, size_t{3} << 20, size_t{9} << 20}) {
    void* block = allocate(size);
    memset(block, 'k', size);
    for (size_t offset : {size_t{1}, size_t{16}, kPage, kPage + 16, size / 2, size - 1})
      expect_dropped(offset_of(block, offset));
    const auto* bytes = static_cast<const char*>(block);
    EXPECT_EQ(static_cast<size_t>(std::count(bytes, bytes + size, 'k')), size);
    const uint64_t before = statistics().misuses;
    deallocate(block);
    EXPECT_EQ(statistics().misuses, before);
  }
}

TEST(Misuse, AMisalignedPointerIntoASmallBlockIsDropped) {
  for (size_t size : {16u, 64u, 256u, 1024u, 4096u}) {
    void* block = allocate(size);
    for (size_t offset : {size_t{1}, size / 2}) expect_dropped(offset_of(block, offset));
    deallocate(block);
  }
}

TEST(Misuse, WhatAPageHeldBeforeDoesNotMakeAnInteriorPointerABlock) {
  // Pages that were full of small blocks become slabs of larger ones, which start on few of them.
  std::vector<void*> small(20000);
  for (void*& block : small) block = allocate(64);
  deallocate_batch(small);
  trim();
  while (purge(GiB(1)).left.value != 0 && purge(GiB(1)).purged.value != 0) continue;
  std::vector<void*> larger(200);
  for (void*& block : larger) {
    block = allocate(5120);
    const auto start = reinterpret_cast<uintptr_t>(block);
    const uintptr_t second_page = (start / kPage + 1) * kPage;
    expect_dropped(reinterpret_cast<void*>(second_page + 64));
  }
  deallocate_batch(larger);
}

TEST(Misuse, ASecondFreeOfABlockOfNoClassIsDropped) {
  void* block = allocate(size_t{9} << 20);
  deallocate(block);
  expect_dropped(block);
  EXPECT_EQ(usable_size(block), 0u);
}

TEST(Misuse, TheOldPlaceOfABlockThatMovedIsNoBlock) {
  void* block = allocate(size_t{9} << 20);
  void* behind = allocate(size_t{9} << 20);  // so that it cannot grow where it is
  void* moved = reallocate(block, size_t{40} << 20);
  ASSERT_NE(moved, nullptr);
  if (moved != block) {
    expect_dropped(block);
    EXPECT_EQ(usable_size(block), 0u);
  }
  EXPECT_NE(moved, block);
  deallocate(moved);
  deallocate(behind);
}

TEST(Misuse, UsableSizeOfWhatIsInsideALargeBlockIsNothing) {
  void* block = allocate(size_t{9} << 20);
  EXPECT_EQ(usable_size(offset_of(block, 16)), 0u);
  EXPECT_EQ(usable_size(offset_of(block, kPage)), 0u);
  EXPECT_TRUE(owns(offset_of(block, kPage)));
  EXPECT_EQ(home_node(offset_of(block, kPage)), home_node(block));
  deallocate(block);
}

// --- reports ---

struct Heard {
  unsigned count = 0;
  Report first{};
};

NH_OWN_PROCESS(TellsEachKindOfMistakeOnce) {
  static Heard foreign;
  static Heard interior;
  static Heard reallocated;
  set_report_callback(
      [](const Report& report, void*) noexcept {
        NH_CHILD_EXPECT(report.kind == ReportKind::kMisuse);
        Heard& heard = strstr(report.text, "reallocated") != nullptr          ? reallocated
                       : strstr(report.text, "not from this heap") != nullptr ? foreign
                                                                              : interior;
        if (heard.count++ == 0) heard.first = report;
        deallocate(allocate(100));  // it may allocate
      },
      nullptr);
  int not_ours = 0;
  int nor_this = 0;
  void* block = allocate(100000);
  for (int i = 0; i < 3; ++i) {
    deallocate(&not_ours);
    deallocate(&nor_this);
    deallocate(offset_of(block, kPage));
    NH_CHILD_EXPECT(reallocate(&not_ours, 5) == nullptr);
  }
  NH_CHILD_EXPECT(foreign.count == 1 && foreign.first.address == &not_ours);
  NH_CHILD_EXPECT(interior.count == 1 && interior.first.address == offset_of(block, kPage));
  NH_CHILD_EXPECT(reallocated.count == 1 && reallocated.first.address == &not_ours);
  NH_CHILD_EXPECT(statistics().misuses == 12);
}

TEST(Misuse, EachKindOfMistakeIsReportedOnceWithItsFirstAddress) {
  const OwnProcess process = run_in_own_process("TellsEachKindOfMistakeOnce");
  EXPECT_EQ(process.status, 0) << process.output;
}

NH_OWN_PROCESS(FreesAForeignPointer) {
  void* block = allocate(100);
  deallocate(block);  // is no mistake
  printf("so far so good\n");
  fflush(stdout);
  int not_ours = 0;
  deallocate(&not_ours);
  printf("went on\n");
}
NH_OWN_PROCESS(FreesAnInteriorPointer) { deallocate(offset_of(allocate(100000), kPage)); }
NH_OWN_PROCESS(ReallocatesAForeignPointer) {
  int not_ours = 0;
  if (reallocate(&not_ours, 10) == nullptr) printf("went on\n");
}

TEST(Misuse, StopsTheProcessWithItsMessageWhereThatIsAskedFor) {
  for (const char* body :
       {"FreesAForeignPointer", "FreesAnInteriorPointer", "ReallocatesAForeignPointer"}) {
    const OwnProcess process = run_in_own_process(body, {.environment = {"NUMAHEAP_MISUSE=abort"}});
    EXPECT_EQ(process.status, -SIGABRT) << process.output;
    EXPECT_NE(process.output.find("numaheap: NUMAHEAP_MISUSE=abort"), std::string::npos)
        << process.output;
    EXPECT_NE(process.output.find("a pointer was "), std::string::npos) << process.output;
    EXPECT_EQ(process.output.find("went on"), std::string::npos) << process.output;
  }
}

TEST(Misuse, GoesOnWhereThatIsAskedFor) {
  const OwnProcess process =
      run_in_own_process("FreesAForeignPointer", {.environment = {"NUMAHEAP_MISUSE=report"}});
  EXPECT_EQ(process.status, 0);
  EXPECT_EQ(process.output, "so far so good\nwent on\n");  // the library never prints
}

}  // namespace
}  // namespace numaheap

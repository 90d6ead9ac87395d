// Reports: kept until somebody listens, replayed to each new listener, each told once.
#include "alloc/report.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "alloc/jemalloc/private_jemalloc.hpp"
#include "numaheap/alloc.hpp"
#include "own_process.hpp"

namespace numaheap {
namespace {

using tests::run_in_own_process;

std::vector<std::string> g_heard;
void* g_context = nullptr;

void listen(const Report& report, void* context) noexcept {
  g_heard.emplace_back(report.text);
  g_context = context;
}

constexpr const char* kFirst = "the first matter";
constexpr const char* kSecond = "the second matter";

/// A way out of a slow path, where reports are handed over.
void pass_a_slow_path() { deallocate(allocate(size_t{6} << 20)); }

NH_OWN_PROCESS(KeepsAndReplays) {
  alloc::report_once(ReportKind::kPlacement, kFirst, nullptr, ENOSYS);
  alloc::report_once(ReportKind::kPlacement, kFirst);
  pass_a_slow_path();
  set_report_callback(listen, &g_heard);
  NH_CHILD_EXPECT(g_heard == std::vector<std::string>{kFirst});
  NH_CHILD_EXPECT(g_context == &g_heard);
  alloc::report_once(ReportKind::kLimit, kSecond);
  alloc::report_once(ReportKind::kLimit, kFirst);
  pass_a_slow_path();
  pass_a_slow_path();
  NH_CHILD_EXPECT(g_heard == (std::vector<std::string>{kFirst, kSecond}));
  set_report_callback(listen, nullptr);  // a new one hears all of them
  NH_CHILD_EXPECT(g_heard == (std::vector<std::string>{kFirst, kSecond, kFirst, kSecond}));
  NH_CHILD_EXPECT(g_context == nullptr);
}

NH_OWN_PROCESS(FallsSilent) {
  set_report_callback(listen, nullptr);
  set_report_callback(nullptr, nullptr);
  alloc::report_once(ReportKind::kPlacement, kFirst);
  pass_a_slow_path();
  NH_CHILD_EXPECT(g_heard.empty());
  set_report_callback(listen, nullptr);
  NH_CHILD_EXPECT(g_heard == std::vector<std::string>{kFirst});
}

NH_OWN_PROCESS(MayDoAnythingInTheCallback) {
  set_report_callback(
      [](const Report& report, void*) noexcept {
        g_heard.emplace_back(report.text);
        pass_a_slow_path();
        int not_ours = 0;
        deallocate(&not_ours);                                            // a report of its own
        if (report.text == kFirst) set_report_callback(listen, nullptr);  // and another listener
      },
      nullptr);
  alloc::report_once(ReportKind::kPlacement, kFirst);
  pass_a_slow_path();
  NH_CHILD_EXPECT(g_heard.size() >= 3);
  NH_CHILD_EXPECT(g_heard.back().find("not from this heap") != std::string::npos);
}

NH_OWN_PROCESS(KeepsSoManyAndCutsLongOnes) {
  for (unsigned i = 0; i < 2 * kMaxKeptReports; ++i)
    alloc::report_copy(ReportKind::kSetting, (std::to_string(i) + std::string(300, 'x')).c_str());
  set_report_callback(listen, nullptr);
  NH_CHILD_EXPECT(g_heard.size() == kMaxKeptReports);
  for (unsigned i = 0; i < kMaxKeptReports; ++i) {
    NH_CHILD_EXPECT(g_heard[i].starts_with(std::to_string(i) + "x"));
    NH_CHILD_EXPECT(g_heard[i].size() < 200);
  }
}

NH_OWN_PROCESS(PassesOnWhatJemallocSays) {
  set_report_callback(listen, nullptr);
  pass_a_slow_path();
  g_heard.clear();
  nh_je_malloc_message(nullptr, "<jemalloc>: Error in munmap(): Cannot allocate memory\n");
  nh_je_malloc_message(nullptr, "\n");
  pass_a_slow_path();
  NH_CHILD_EXPECT(
      g_heard == std::vector<std::string>{"<jemalloc>: Error in munmap(): Cannot allocate memory"});
}

TEST(Reports, AreMadeOfWhatJemallocWouldPrint) {
  const tests::OwnProcess process = run_in_own_process("PassesOnWhatJemallocSays");
  EXPECT_EQ(process.status, 0) << process.output;
}
TEST(Reports, AreKeptToldOnceAndReplayedToANewListener) {
  const tests::OwnProcess process = run_in_own_process("KeepsAndReplays");
  EXPECT_EQ(process.status, 0) << process.output;
}
TEST(Reports, AreKeptWhileNobodyListens) {
  const tests::OwnProcess process = run_in_own_process("FallsSilent");
  EXPECT_EQ(process.status, 0) << process.output;
}
TEST(Reports, AreToldWithNoLockHeld) {
  const tests::OwnProcess process =
      run_in_own_process("MayDoAnythingInTheCallback", {.seconds = 20});
  EXPECT_EQ(process.status, 0) << process.output;
}
TEST(Reports, AreBoundedInNumberAndLength) {
  const tests::OwnProcess process = run_in_own_process("KeepsSoManyAndCutsLongOnes");
  EXPECT_EQ(process.status, 0) << process.output;
}

}  // namespace
}  // namespace numaheap

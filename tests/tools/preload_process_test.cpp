/// \file
/// Whole processes under the preload object: what preload_probe does in each, and what it says on stderr.

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>

#include <sstream>

#include "child_process.hpp"
#include "skip.hpp"

namespace numaheap::tests {
namespace {

Finished probe(const std::string& what, Variables variables = {}) {
  variables["LD_PRELOAD"] = PRELOAD_OBJECT;
  return run({PRELOAD_PROBE, what}, variables);
}

int count(const std::string& text, const std::string& piece) {
  int n = 0;
  for (size_t at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1)) ++n;
  return n;
}

class PreloadProcess : public testing::TestWithParam<const char*> {};

TEST_P(PreloadProcess, EndsWellAndSaysNothing) {
  const Finished finished = probe(GetParam());
  EXPECT_EQ(finished.status, 0);
  EXPECT_EQ(finished.err, "");
}

std::string camel_case(const testing::TestParamInfo<const char*>& info) {
  std::string name;
  bool start = true;
  for (const char* c = info.param; *c != 0; ++c) {
    if (*c != '-') name += start ? static_cast<char>(toupper(*c)) : *c;
    start = *c == '-';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Probe, PreloadProcess,
                         testing::Values("after-main", "fork", "sdallocx", "signals", "spawn",
                                         "thread-exits"),
                         camel_case);

TEST(PreloadSecondHeap, OfALinkedProgramWorksBesideOursAndIsToldOnce) {
  for (const char* program : {SECOND_HEAP_STATIC, SECOND_HEAP_SHARED}) {
    const Finished finished = run({program}, {{"LD_PRELOAD", PRELOAD_OBJECT}});
    EXPECT_EQ(finished.status, 0) << program;
    EXPECT_NE(finished.err.find("has a heap of numaheap itself"), std::string::npos)
        << finished.err;
    EXPECT_EQ(count(finished.err, "\n"), 1) << finished.err;
  }
}

TEST(PreloadMisuse, IsReportedInOneLineAndTheProgramGoesOn) {
  for (const char* what : {"foreign-pointer", "interior-pointer"}) {
    const Finished finished = probe(what);
    EXPECT_EQ(finished.status, 0) << what;
    EXPECT_NE(finished.out.find("went on\n"), std::string::npos) << what;
    EXPECT_EQ(finished.err.find("numaheap: misuse: "), 0u) << finished.err;
    EXPECT_EQ(count(finished.err, "\n"), 1) << finished.err;
  }
}

TEST(PreloadMisuse, StopsTheProgramIfAsked) {
  for (const char* what : {"foreign-pointer", "interior-pointer"}) {
    const Finished finished = probe(what, {{"NUMAHEAP_MISUSE", "abort"}});
    EXPECT_EQ(finished.status, -SIGABRT) << what;
    EXPECT_EQ(finished.err.find("numaheap: "), 0u) << finished.err;
    EXPECT_EQ(count(finished.err, "a pointer was freed"), 1) << finished.err;
    EXPECT_EQ(count(finished.err, "\n"), 1) << finished.err;
    EXPECT_EQ(finished.out.find("went on"), std::string::npos) << what;
  }
}

TEST(PreloadReports, DoNotRaiseSigpipe) { EXPECT_EQ(probe("closed-stderr").status, 0); }

TEST(PreloadReports, NameASettingThatIsNotAccepted) {
  const Finished finished = probe("after-main", {{"NUMAHEAP_THREAD_CACHE", "lots"}});
  EXPECT_EQ(finished.status, 0);
  EXPECT_EQ(finished.err.find("numaheap: setting: NUMAHEAP_THREAD_CACHE=lots"), 0u) << finished.err;
  EXPECT_EQ(count(finished.err, "\n"), 1) << finished.err;
}

TEST(PreloadReports, NameRolesThatCannotBeRead) {
  const Finished finished = probe("after-main", {{"NUMAHEAP_ROLES", "nonsense"}});
  EXPECT_EQ(finished.status, 0);
  EXPECT_EQ(finished.err.find("numaheap: setting: NUMAHEAP_ROLES"), 0u) << finished.err;
}

TEST(PreloadSystemBackend, ServesFromTheMallocThatTheProgramWouldHave) {
  for (const char* what : {"after-main", "fork", "sdallocx", "thread-exits"}) {
    const Finished finished = probe(what, {{"NUMAHEAP_BACKEND", "system"}});
    EXPECT_EQ(finished.status, 0) << what << finished.err;
  }
}

TEST(PreloadChildren, RunUnderThePreloadObjectToo) {
  const Finished finished = probe("environment");
  EXPECT_EQ(finished.status, 0);
  EXPECT_NE(finished.out.find("child: " PRELOAD_OBJECT "\n"), std::string::npos) << finished.out;
}

TEST(PreloadChildren, RunWithoutItIfAsked) {
  const Finished finished = probe("environment", {{"NUMAHEAP_NO_CHILDREN", "1"}});
  EXPECT_EQ(finished.status, 0);
  EXPECT_EQ(finished.out.find("own: none\nchild: none\n"), 0u) << finished.out;
}

TEST(PreloadChildren, KeepWhatElseIsPreloaded) {
  const std::string other = "libm.so.6";
  for (const std::string& list : {other + ":" + PRELOAD_OBJECT, PRELOAD_OBJECT " " + other,
                                  other + " " PRELOAD_OBJECT ":" + other}) {
    const Finished finished =
        run({PRELOAD_PROBE, "environment"}, {{"LD_PRELOAD", list}, {"NUMAHEAP_NO_CHILDREN", "1"}});
    EXPECT_EQ(finished.status, 0);
    EXPECT_NE(finished.out.find("child: " + other), std::string::npos) << finished.out;
    EXPECT_EQ(finished.out.find("numaheap"), std::string::npos) << finished.out;
  }
}

TEST(PreloadChildren, RefuseASettingThatIsNeitherOfTheTwo) {
  const Finished finished = probe("environment", {{"NUMAHEAP_NO_CHILDREN", "yes"}});
  EXPECT_EQ(finished.status, 0);
  EXPECT_EQ(finished.err.find("numaheap: setting: NUMAHEAP_NO_CHILDREN=yes"), 0u) << finished.err;
}

/// The CPUs that this process may use.
std::vector<int> allowed_cpus() {
  cpu_set_t cpus;
  sched_getaffinity(0, sizeof cpus, &cpus);
  std::vector<int> result;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &cpus)) result.push_back(cpu);
  }
  return result;
}

/// "who: first CPU, number of CPUs" as preload_probe prints it.
std::string line(const std::string& who, int first, size_t number) {
  return who + ": " + std::to_string(first) + " " + std::to_string(number) + "\n";
}

TEST(PreloadRoles, PinThreadsByTheNameTheyAreGiven) {
  const std::vector<int> cpus = allowed_cpus();
  if (cpus.size() < 2) NH_SKIP("this machine has one CPU; roles cannot be told apart by CPUs");
  const int last = cpus.back();
  const Finished finished =
      probe("roles", {{"NUMAHEAP_ROLES", "1;default|||local:0|nearest|0|0;workers|worker*|" +
                                             std::to_string(last) + "|local:0|nearest|0|0"}});
  EXPECT_EQ(finished.status, 0);
  EXPECT_EQ(finished.err, "");
  EXPECT_EQ(finished.out,
            line("main", cpus[0], cpus.size()) + line("unnamed", cpus[0], cpus.size()) +
                line("named by itself", last, 1) +
                line("unnamed child of a worker", cpus[0], cpus.size()) +
                line("renamed", cpus[0], cpus.size()) + line("named by prctl", last, 1) +
                line("named by its creator", last, 1) + "after main\n");
}

TEST(PreloadRoles, GiveTheMainThreadARoleByTheProgramsName) {
  const std::vector<int> cpus = allowed_cpus();
  if (cpus.size() < 2) NH_SKIP("this machine has one CPU; roles cannot be told apart by CPUs");
  const std::string first = std::to_string(cpus.front());
  const std::string last = std::to_string(cpus.back());
  const Finished finished =
      probe("roles",
            {{"NUMAHEAP_ROLES", "1;default||" + first + "|local:0|nearest|0|0;main|preload_pro*|" +
                                    last + "|local:0|nearest|0|0"}});
  EXPECT_EQ(finished.status, 0);
  EXPECT_EQ(finished.out.find(line("main", cpus.back(), 1) + line("unnamed", cpus.front(), 1)), 0u)
      << finished.out;
}

TEST(PreloadRoles, PlaceMemoryAndLimitItByNode) {
  const Finished placed = probe(
      "roles", {{"NUMAHEAP_ROLES",
                 "1;default|||interleaved:0|nearest|0|0;workers|worker*||node:0|nearest|0|0"}});
  EXPECT_EQ(placed.status, 0);
  EXPECT_EQ(placed.err, "");
  const Finished limited =
      probe("after-main", {{"NUMAHEAP_ROLES", "1;default|||local:0|nearest|0|65536"}});
  EXPECT_NE(limited.status, 0);  // its map does not fit
}

TEST(PreloadRoles, SayOnceWhatIsRefused) {
  const Finished finished = probe(
      "roles", {{"NUMAHEAP_ROLES",
                 "1;default|||local:0|nearest|0|0;workers|worker*|8191|node:1023|nearest|0|0"}});
  EXPECT_EQ(finished.status, 0);
  EXPECT_EQ(count(finished.err, "numaheap: placement: role workers: its threads are not pinned: "),
            1)
      << finished.err;
  EXPECT_EQ(count(finished.err, "numaheap: placement: role workers: its memory is not placed: "), 1)
      << finished.err;
}

}  // namespace
}  // namespace numaheap::tests

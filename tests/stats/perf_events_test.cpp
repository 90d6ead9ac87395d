#include "numaheap/stats/perf_events.hpp"

#include <gtest/gtest.h>
#include <linux/perf_event.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "fake_event_sources.hpp"
#include "fake_perf_kernel.hpp"
#include "numaheap/stats/event_names.hpp"
#include "skip.hpp"

namespace numaheap::stats {
namespace {

using tests::FakeEventSources;
using tests::FakePerfKernel;

const PerfEvent kCycles{"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES};
const PerfEvent kInstructions{"instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS};
const PerfEvent kFaults{"page_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS};
const PerfEvent kSwitches{.name = "context_switches",
                          .type = PERF_TYPE_SOFTWARE,
                          .config = PERF_COUNT_SW_CONTEXT_SWITCHES,
                          .only_in_kernel = true};

PerfCounters open(FakePerfKernel& kernel, const std::vector<PerfEvent>& events,
                  PerfCounters::Whose whose = PerfCounters::Whose::kThread,
                  const PerfEnvironment& environment = {}) {
  return PerfCounters::open(events, whose, kernel, environment);
}

TEST(PerfCounters, CountHardwareEventsOfAThreadAsOneGroup) {
  FakePerfKernel kernel;
  const PerfCounters counters = open(kernel, {kFaults, kCycles, kInstructions});
  ASSERT_EQ(kernel.opened().size(), 3u);
  EXPECT_EQ(kernel.opened()[100].target.group, -1) << "a software event needs no counter";
  EXPECT_EQ(kernel.opened()[101].target.group, -1);
  EXPECT_EQ(kernel.opened()[102].target.group, 101);
  EXPECT_FALSE(kernel.opened()[102].target.with_children);
}

TEST(PerfCounters, LetAnEventTakeTurnsThatDoesNotFitIntoTheGroup) {
  FakePerfKernel kernel;
  kernel.refuse = [](const PerfEvent&, const PerfTarget& target) {
    return target.group >= 0 ? EINVAL : 0;
  };
  const PerfCounters counters = open(kernel, {kCycles, kInstructions});
  ASSERT_EQ(kernel.opened().size(), 2u);
  EXPECT_EQ(kernel.opened()[101].target.group, -1);
}

TEST(PerfCounters, ScaleWhatTookTurnsAndSaySo) {
  FakePerfKernel kernel;
  const PerfCounters counters = open(kernel, {kCycles, kInstructions});
  FakePerfKernel::advance(kernel.opened()[100], 1000, 400, 100);
  FakePerfKernel::advance(kernel.opened()[101], 1000, 400, 400);
  const auto values = counters.read();
  EXPECT_EQ(values[0].value, 4000u);
  EXPECT_DOUBLE_EQ(values[0].counted, 0.25);
  EXPECT_EQ(values[1].value, 1000u);
  EXPECT_DOUBLE_EQ(values[1].counted, 1);
}

TEST(PerfCounters, HaveNoValueForWhatNeverGotACounter) {
  FakePerfKernel kernel;
  const PerfCounters counters = open(kernel, {kCycles, kInstructions});
  FakePerfKernel::advance(kernel.opened()[100], 0, 400, 0);
  const auto values = counters.read();
  EXPECT_EQ(values[0].value, std::nullopt);
  EXPECT_EQ(values[0].reason, "it got no counter: others held them all the time");
  EXPECT_EQ(values[1].reason, "nothing ran while it was counted");
}

TEST(PerfCounters, ScopedCountsItsScopeAlone) {
  FakePerfKernel kernel;
  const PerfCounters counters = open(kernel, {kCycles});
  FakePerfKernel::advance(kernel.opened()[100], 7000, 700, 700);
  std::vector<PerfValue> values;
  {
    const PerfCounters::Scoped counting(counters, values);
    FakePerfKernel::advance(kernel.opened()[100], 50, 20, 10);
  }
  ASSERT_EQ(values.size(), 1u);
  EXPECT_EQ(values[0].value, 100u) << "scaled by the scope's own share";
  EXPECT_DOUBLE_EQ(values[0].counted, 0.5);
}

TEST(PerfCounters, CountAcrossTheWrapOfACounter) {
  const auto scaled = scaled_difference({~uint64_t{0} - 9, 100, 100}, {20, 200, 200});
  ASSERT_TRUE(scaled);
  EXPECT_DOUBLE_EQ(scaled->value, 30);
}

TEST(PerfCounters, AreTriedWithoutTheKernelIfItIsForbidden) {
  FakePerfKernel kernel;
  kernel.refuse = [](const PerfEvent&, const PerfTarget& target) {
    return target.user_only ? 0 : EACCES;
  };
  PerfEnvironment environment;
  environment.paranoid = 2;
  const PerfCounters counters =
      open(kernel, {kCycles, kSwitches}, PerfCounters::Whose::kThread, environment);
  ASSERT_EQ(kernel.opened().size(), 1u);
  FakePerfKernel::advance(kernel.opened()[100], 5, 1, 1);
  const auto values = counters.read();
  EXPECT_EQ(values[0].value, 5u);
  EXPECT_TRUE(values[0].user_only);
  EXPECT_EQ(values[1].value, std::nullopt)
      << "a switch happens in the kernel: without it, it would always be 0";
}

TEST(PerfCounters, OfAProcessAreThoseOfAllItsThreads) {
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop.load()) std::this_thread::yield();
  });
  FakePerfKernel kernel;
  {
    const PerfCounters counters = open(kernel, {kCycles}, PerfCounters::Whose::kProcess);
    EXPECT_GE(kernel.opened().size(), 2u);
    for (auto& [descriptor, event] : kernel.opened()) {
      EXPECT_TRUE(event.target.with_children);
      EXPECT_EQ(event.target.group, -1);
      EXPECT_GT(event.target.process, 0);
      FakePerfKernel::advance(event, 10, 4, 4);
    }
    EXPECT_EQ(counters.read()[0].value, 10 * kernel.opened().size());
  }
  EXPECT_TRUE(kernel.opened().empty()) << "they are closed with the object";
  stop = true;
  other.join();
}

TEST(PerfCounters, OfSomeThreadsAreNotTakenForThoseOfAll) {
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop.load()) std::this_thread::yield();
  });
  FakePerfKernel kernel;
  kernel.refuse = [&](const PerfEvent&, const PerfTarget&) {
    return kernel.opened().empty() ? 0 : EMFILE;
  };
  const PerfCounters counters = open(kernel, {kCycles}, PerfCounters::Whose::kProcess);
  EXPECT_TRUE(kernel.opened().empty());
  EXPECT_EQ(counters.read()[0].reason,
            "the process has no file descriptor left: raise its limit (ulimit -n); each event "
            "takes one a thread or "
            "CPU");
  stop = true;
  other.join();
}

std::string refusal(int error, const PerfEnvironment& environment, bool whole_cpu = false) {
  return explain_refusal(error, kCycles, whole_cpu, environment);
}

TEST(PerfRefusal, SaysWhatIsMissingAndWhatToDo) {
  EXPECT_EQ(refusal(ENOENT, {.is_guest = true}),
            "the CPU shows no hardware counter for it: this is a virtual machine, and its host "
            "gives it no PMU (or "
            "none with this event)");
  EXPECT_EQ(refusal(ENOENT, {}), "the CPU has no hardware counter for it, or the kernel no driver");
  EXPECT_EQ(explain_refusal(ENOENT, kFaults, false, {.is_guest = true}),
            "the kernel does not know this event");
  EXPECT_EQ(refusal(EACCES, {.paranoid = 3}),
            "kernel.perf_event_paranoid is 3: set it to 2 or less (sysctl), or give the process "
            "CAP_PERFMON");
  EXPECT_EQ(refusal(EACCES, {.paranoid = 2}, true),
            "kernel.perf_event_paranoid is 2: set it to 0 or less (sysctl), or give the process "
            "CAP_PERFMON");
  EXPECT_EQ(
      refusal(EPERM, {.paranoid = 1, .is_filtered = true}),
      "a seccomp filter (a container's, usually) refuses perf_event_open: allow it in the filter");
  EXPECT_EQ(refusal(EPERM, {.paranoid = 4, .has_capability = true}),
            "the kernel refuses it (Operation not permitted) although kernel.perf_event_paranoid "
            "and capabilities "
            "would allow it: a security module or lockdown does");
  EXPECT_EQ(refusal(EPERM, {.paranoid = 4, .is_filtered = true}),
            "kernel.perf_event_paranoid is 4: set it to 2 or less (sysctl), or give the process "
            "CAP_PERFMON; a "
            "seccomp filter is on and may refuse it too");
  EXPECT_EQ(refusal(ENOSYS, {}), "the kernel is built without perf events");
  EXPECT_EQ(refusal(EIO, {}), "the kernel says: Input/output error");
  for (int error : {ENODEV, EMFILE, ENFILE, EINVAL, EBUSY, ENOSPC, ESRCH})
    EXPECT_EQ(refusal(error, {}).find("the kernel says"), std::string::npos) << error;
}

TEST(PerfRefusal, ReadsWhatDecidesIt) {
  FakeEventSources machine;
  machine.write("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme hypervisor lahf_lm");
  machine.write("/proc/sys/kernel/perf_event_paranoid", "-1");
  machine.write("/proc/self/status", "Name:\tx\nCapEff:\t0000004000000000\nSeccomp:\t2");
  const auto environment = PerfEnvironment::read(machine.root());
  EXPECT_TRUE(environment.is_guest);
  EXPECT_EQ(environment.paranoid, -1);
  EXPECT_TRUE(environment.has_capability);
  EXPECT_TRUE(environment.is_filtered);
  machine.write("/proc/cpuinfo", "flags\t\t: fpu nohypervisor");
  machine.write("/proc/sys/kernel/perf_event_paranoid", "paranoid");
  machine.write("/proc/self/status", "CapEff:\t0000000000000400\nSeccomp:\t0");
  const auto bare = PerfEnvironment::read(machine.root());
  EXPECT_FALSE(bare.is_guest);
  EXPECT_EQ(bare.paranoid, std::nullopt);
  EXPECT_FALSE(bare.has_capability);
  EXPECT_FALSE(bare.is_filtered);
}

TEST(EventNames, AreThoseOfTheVendors) {
  ASSERT_EQ(setenv("LIBPFM_ENCODE_INACTIVE", "1", 1),
            0);  // events of CPUs that are not here; read at the first call
  struct Known {
    const char* name;
    uint64_t config;
  };
  for (const Known& known :
       {Known{"skx::MEM_LOAD_L3_MISS_RETIRED:LOCAL_DRAM", 0x1d3},
        Known{"spr::MEM_LOAD_L3_MISS_RETIRED:REMOTE_DRAM", 0x2d3},
        Known{"bdw_ep::MEM_LOAD_UOPS_L3_MISS_RETIRED:REMOTE_DRAM", 0x4d3},
        Known{"amd64_fam19h_zen4::ANY_DATA_CACHE_FILLS_FROM_SYSTEM:DRAM_IO_FAR", 0x4044},
        Known{"amd64_fam19h_zen3::ANY_DATA_CACHE_FILLS_FROM_SYSTEM:MEM_IO_LCL", 0x844},
        Known{"amd64_fam17h_zen2::DATA_CACHE_REFILLS_FROM_SYSTEM:LS_MABRESP_RMT_DRAM", 0x4043}}) {
    std::string problem;
    const auto event = find_event(known.name, problem);
    ASSERT_TRUE(event) << problem;
    EXPECT_EQ(event->config & 0xffff, known.config) << known.name;
    EXPECT_EQ(event->type, uint32_t{PERF_TYPE_RAW});
  }
  std::string problem;
  EXPECT_FALSE(find_event("NO_SUCH_EVENT", problem));
  EXPECT_EQ(problem.find("libpfm4 knows no event \"NO_SUCH_EVENT\" of this CPU: "), 0u) << problem;
}

TEST(EventNames, TellWhyThereIsNone) {
  const auto events = dram_events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].name, "local_dram");
  EXPECT_EQ(events[1].name, "remote_dram");
  for (const PerfEvent& event : events) EXPECT_NE(event.problem.empty(), event.config == 0);
}

TEST(PerfCountersLive, CountWhatThisMachineCounts) {
  const auto events = usual_events();
  const PerfCounters counters = PerfCounters::open(events, PerfCounters::Whose::kThread);
  std::vector<PerfValue> values;
  constexpr size_t kPages = 100;
  void* memory =
      mmap(nullptr, kPages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_EQ(madvise(memory, kPages * 4096, MADV_NOHUGEPAGE), 0);
  {
    const PerfCounters::Scoped counting(counters, values);
    for (size_t page = 0; page < kPages; ++page)
      static_cast<volatile char*>(memory)[page * 4096] = 1;
  }
  munmap(memory, kPages * 4096);
  ASSERT_EQ(values.size(), events.size());
  for (const PerfValue& value : values) {
    EXPECT_NE(value.value.has_value(), !value.reason.empty()) << value.name;
    EXPECT_GT(value.counted, 0) << value.name;
    if (value.name == "page_faults" && value.value) {
      EXPECT_GE(*value.value, kPages);
      EXPECT_LT(*value.value, kPages + 1000);
    }
  }
}

TEST(PerfCountersLive, OfTheProcessSeeThreadsThatStartLater) {
  const PerfCounters counters =
      PerfCounters::open(std::vector{kFaults}, PerfCounters::Whose::kProcess);
  if (!counters.read()[0].value && counters.read()[0].reason != "nothing ran while it was counted")
    NH_SKIP("no perf events: " + counters.read()[0].reason);
  std::vector<PerfValue> values;
  constexpr size_t kPages = 100;
  {
    const PerfCounters::Scoped counting(counters, values);
    std::thread([] {
      void* memory =
          mmap(nullptr, kPages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      madvise(memory, kPages * 4096, MADV_NOHUGEPAGE);
      for (size_t page = 0; page < kPages; ++page)
        static_cast<volatile char*>(memory)[page * 4096] = 1;
      munmap(memory, kPages * 4096);
    }).join();
  }
  ASSERT_TRUE(values[0].value) << values[0].reason;
  EXPECT_GE(*values[0].value, kPages);
}

}  // namespace
}  // namespace numaheap::stats

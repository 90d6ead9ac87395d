// Settings: what each accepts, what it says otherwise, and that the environment reaches the heap.
#include "numaheap/settings.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "alloc/heap.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/report.hpp"
#include "own_process.hpp"

namespace numaheap {
namespace {

using tests::OwnProcess;
using tests::run_in_own_process;

struct Case {
  const char* name;
  std::vector<const char*> good;  ///< The first is not the default.
  std::vector<const char*> bad;
};

const std::vector<const char*> kNoSizes = {
    "", "-1", "1.5G", "12Q", "G", "0x10", "1 G", "1Gi", "99999999999999999999", "9999999999T"};

const Case kCases[] = {
    {"BACKEND", {"system", "numa"}, {"", "System", "glibc", "numa "}},
    {"MISUSE", {"abort", "report"}, {"", "ignore", "1"}},
    {"MBIND", {"off", "on"}, {"", "0", "yes"}},
    {"HUGE_PAGES",
     {"off,node0=on", "auto", "large", "on", "node1=off", "auto,node1=off,node65=large"},
     {"", "always", "node0", "node0=", "nodex=on", "node66=on", "off,on", "on,,off"}},
    {"RANGE", {"128M", "64M", "1T", "16TiB", "1073741824"}, {"32M", "32T", "100M", "3G", "0"}},
    {"THREAD_CACHE", {"256K", "64K", "8M", "1G", "65536B"}, {"63K", "2G", "0"}},
    {"NODE_CACHE", {"3M", "0", "64G"}, {"65G"}},
    {"DIRTY_DECAY_MS", {"77", "0", "-1", "3600000"}, {"", "-2", "3600001", "10s"}},
    {"PUBLISH_MS", {"78", "0", "60000"}, {"", "-1", "60001", "1s"}},
    {"BACKGROUND", {"on", "off"}, {"", "1", "auto"}},
    {"REBIND_AFTER", {"9", "1", "1000000"}, {"", "0", "1000001", "-1"}},
    {"SOFT_LIMIT", {"501M", "0"}, {}},
    {"HARD_LIMIT", {"502M", "0"}, {}},
    {"NODE_SOFT_LIMIT", {"503M", "0"}, {}},
    {"NODE_HARD_LIMIT", {"504M", "0"}, {}},
    {"RESIDENT_SOFT_LIMIT", {"505M", "0"}, {}},
    {"RESIDENT_HARD_LIMIT", {"506M", "0"}, {}},
    {"CGROUP_SOFT_LIMIT", {"507M", "0"}, {}},
    {"CGROUP_HARD_LIMIT", {"508M", "0"}, {}},
};

const SettingInfo& info_of(const std::string& name) {
  for (const SettingInfo& info : settings()) {
    if (name == info.name) return info;
  }
  ADD_FAILURE() << "there is no setting " << name;
  return settings().front();
}

TEST(Settings, EachIsTestedHereAndExplained) {
  EXPECT_EQ(std::size(kCases), settings().size());
  for (const Case& c : kCases) {
    const SettingInfo& info = info_of(c.name);
    for (const char* text : {info.unit, info.default_text, info.range_text, info.help})
      EXPECT_NE(*text, 0) << c.name;
  }
}

TEST(Settings, AcceptWhatTheySayAndNothingElse) {
  for (const Case& c : kCases) {
    for (const char* value : c.good)
      EXPECT_TRUE(check_setting(c.name, value)) << c.name << "=" << value;
    std::vector<const char*> bad = c.bad;
    if (strcmp(info_of(c.name).unit, "bytes") == 0)
      bad.insert(bad.end(), kNoSizes.begin(), kNoSizes.end());
    for (const char* value : bad) {
      const Status status = check_setting(c.name, value);
      ASSERT_FALSE(status) << c.name << "=" << value;
      EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
      EXPECT_STREQ(status.error().text, info_of(c.name).range_text);
    }
  }
  const Status unknown = check_setting("NO_SUCH", "1");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
}

/// Prints what the heap took over, and what it reported.
NH_OWN_PROCESS(PrintsItsSettings) {
  void* block = allocate(100);
  set_report_callback(
      [](const Report& report, void*) noexcept {
        printf("%d: %s\n", static_cast<int>(report.kind), report.text);
      },
      nullptr);
  const alloc::Settings& s = alloc::g_heap.settings();
  printf(
      "backend %d misuse %d mbind %d huge %d node0 %d of %llu range %zu thread %zu node %zu decay "
      "%lld publish %lld background %d rebind %u",
      s.system_backend, s.abort_on_misuse, s.try_mbind, static_cast<int>(s.huge_pages),
      static_cast<int>(s.node_huge_pages[0]),
      static_cast<unsigned long long>(s.node_huge_pages_set[0]), s.range_span.value >> 20,
      s.thread_cache.value >> 10, s.node_cache.value >> 20,
      static_cast<long long>(s.dirty_decay_ms), static_cast<long long>(s.publish_ms), s.background,
      s.rebind_after);
  for (const Limit& limit : {s.live, s.node_live, s.resident, s.cgroup})
    printf(" %zu-%zu", limit.soft.value >> 20, limit.hard.value >> 20);
  printf("\n");
  deallocate(block);
}

TEST(Settings, AreReadFromTheEnvironment) {
  std::vector<std::string> variables;
  for (const Case& c : kCases)
    variables.push_back(std::string("NUMAHEAP_") + c.name + "=" + c.good[0]);
  const OwnProcess process = run_in_own_process("PrintsItsSettings", {.environment = variables});
  EXPECT_EQ(process.status, 0);
  EXPECT_EQ(process.output,
            "backend 1 misuse 1 mbind 0 huge 0 node0 3 of 1 range 128 thread 256 node 3 decay 77 "
            "publish 78 background 1 rebind 9"
            " 501-502 503-504 505-506 507-508\n");
}

TEST(Settings, KeepTheirDefaultWhereAValueIsNotAcceptedAndSayWhichAndWhy) {
  const OwnProcess defaults = run_in_own_process("PrintsItsSettings");
  std::vector<std::string> variables;
  for (const Case& c : kCases) variables.push_back(std::string("NUMAHEAP_") + c.name + "=nonsense");
  const OwnProcess process = run_in_own_process("PrintsItsSettings", {.environment = variables});
  EXPECT_EQ(process.status, 0);
  for (const Case& c : kCases) {
    const std::string told = std::string("NUMAHEAP_") + c.name + "=nonsense is not accepted (";
    EXPECT_NE(process.output.find(told), std::string::npos) << told << " in\n" << process.output;
  }
  EXPECT_EQ(process.output.substr(process.output.find("backend")),
            defaults.output.substr(defaults.output.find("backend")));
}

TEST(Settings, AppliesNoLimitWhereASoftOneIsAboveItsHardOne) {
  const OwnProcess process = run_in_own_process(
      "PrintsItsSettings", {.environment = {"NUMAHEAP_SOFT_LIMIT=2G", "NUMAHEAP_HARD_LIMIT=1G",
                                            "NUMAHEAP_NODE_HARD_LIMIT=3G"}});
  EXPECT_NE(process.output.find("a soft limit is above its hard limit"), std::string::npos)
      << process.output;
  EXPECT_NE(process.output.find(" 0-0 0-0 0-0 0-0\n"), std::string::npos) << process.output;
}

}  // namespace
}  // namespace numaheap

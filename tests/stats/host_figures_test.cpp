#include "numaheap/stats/host_figures.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "numaheap/stats/info.hpp"

// A process has one host: these tests share it, and it gives what `g_given` says.

namespace numaheap::stats {
namespace {

struct Given {
  bool startup = false;
  bool limit = false;
  bool database = false;
} g_given;

void read_host(void* context, HostEmitter& out) noexcept {
  EXPECT_EQ(context, &g_given);
  if (g_given.startup) out.set(HostFigure::kStartup, 700);
  if (g_given.limit) {
    out.set(HostFigure::kMaxMemory, 4096);
    out.maxmemory_policy("allkeys-lru");
  }
  if (g_given.database) out.database(2, 30, 4);
}

constinit Metric heap_limit{.name = kHardLimitBytes,
                            .help = "Limit of the heap.",
                            .unit = Unit::kBytes,
                            .read = [](void*, Emitter& out) noexcept { out.emit(8192); }};

struct HostFigures : testing::Test {
  HostFigures() {
    register_host_figures(read_host, &g_given);
    g_given = {};
  }
  Snapshot snapshot() { return take_snapshot(memory); }
  std::string info() {
    std::string text(1 << 16, '\0');
    text.resize(render_info(snapshot(), text.data(), text.size()));
    return text;
  }
  std::array<Sample, 4096> memory;
};

TEST_F(HostFigures, OneHostAProcess) {
  EXPECT_FALSE(register_host_figures(nullptr, nullptr)) << "the first one stays";
}

TEST_F(HostFigures, OnlyWhatIsGivenIsThere) {
  EXPECT_EQ(snapshot().find(metric_name(HostFigure::kStartup)), nullptr);
  g_given.startup = true;
  const Snapshot taken = snapshot();
  const Sample* startup = taken.find(metric_name(HostFigure::kStartup));
  ASSERT_NE(startup, nullptr);
  EXPECT_EQ(startup->value, 700);
  EXPECT_EQ(startup->metric->source, Source::kHost);
  EXPECT_EQ(taken.find(metric_name(HostFigure::kKeys)), nullptr);
  EXPECT_NE(info().find("\r\nused_memory_startup:700\r\n"), std::string::npos);
}

TEST_F(HostFigures, WhatIsNotGivenSaysWhy) {
  std::array<Absence, 4096> absences;
  Snapshot taken = snapshot();
  find_absent(taken, Detail::kPerThread, absences);
  std::set<std::string> missing;
  for (const Absence& absence : taken.absent) {
    if (absence.metric->source != Source::kHost) continue;
    EXPECT_STREQ(absence.why, "the server does not give it");
    missing.insert(absence.metric->name);
  }
  EXPECT_EQ(missing.size(), kHostFigures + 2);
}

TEST_F(HostFigures, DatabasesHaveTwoTables) {
  g_given.database = true;
  const Snapshot taken = snapshot();
  ASSERT_NE(taken.find(kHostDatabaseBytes, {uint64_t{2}, "main"}), nullptr);
  EXPECT_EQ(taken.find(kHostDatabaseBytes, {uint64_t{2}, "main"})->value, 30);
  EXPECT_EQ(taken.find(kHostDatabaseBytes, {uint64_t{2}, "expires"})->value, 4);
}

TEST_F(HostFigures, TheServersLimitStandsForTheHeaps) {
  register_metric(heap_limit);
  EXPECT_NE(info().find("\r\nmaxmemory:8192\r\n"), std::string::npos);
  g_given.limit = true;
  EXPECT_NE(info().find("\r\nmaxmemory:4096\r\n"), std::string::npos);
  EXPECT_NE(info().find("\r\nmaxmemory_policy:allkeys-lru\r\n"), std::string::npos);
}

TEST_F(HostFigures, EachHasANameOfItsOwn) {
  std::set<std::string> names;
  for (size_t i = 0; i < kHostFigures; ++i) names.insert(metric_name(static_cast<HostFigure>(i)));
  EXPECT_EQ(names.size(), kHostFigures);
}

}  // namespace
}  // namespace numaheap::stats

#include "numaheap/stats/event_source.hpp"

#include <gtest/gtest.h>

#include "fake_event_sources.hpp"

namespace numaheap::stats {
namespace {

using tests::FakeEventSources;

/// Reads a source that is to be right.
EventSource read(const FakeEventSources& sources, const std::string& name) {
  std::string problem;
  auto source = EventSource::read(name, problem, sources.root());
  EXPECT_TRUE(source) << problem;
  return source.value_or(EventSource());
}

uint64_t config(const EventSource& source, std::string_view event) {
  std::string problem;
  const auto encoded = source.encode(event, problem);
  EXPECT_TRUE(encoded) << problem;
  return encoded ? encoded->config : 0;
}

TEST(EventSource, ReadsAXeonsMemoryController) {
  FakeEventSources sources;
  sources.add_intel_channel(0, "0,24", 14);
  EXPECT_EQ(EventSource::names(sources.root()), std::vector<std::string>{"uncore_imc_0"});
  const EventSource source = read(sources, "uncore_imc_0");
  EXPECT_EQ(source.type(), 14u);
  EXPECT_EQ(source.cpus(), (std::vector<unsigned>{0, 24}));
  ASSERT_EQ(source.events().size(), 3u) << ".scale and .unit are no events";
  EXPECT_EQ(config(source, "cas_count_read"), 0x304u);
  EXPECT_EQ(config(source, "cas_count_write"), 0xc04u);
  EXPECT_DOUBLE_EQ(source.event("cas_count_read")->bytes_per_count().value_or(0), 64);
  EXPECT_EQ(source.event("clockticks")->bytes_per_count(), std::nullopt);
}

TEST(EventSource, ReadsFreeRunningCounters) {
  FakeEventSources sources;
  sources.add_intel_free_running(1, "0", 40);
  const EventSource source = read(sources, "uncore_imc_free_running_1");
  EXPECT_EQ(config(source, "write"), 0x30ffu);
  EXPECT_DOUBLE_EQ(source.event("write")->bytes_per_count().value_or(0), 64);
}

TEST(EventSource, PutsTheFieldsOfAmdsUnitsWhereTheyStand) {
  FakeEventSources sources;
  sources.add_amd_controller(3, "0", 21);
  EXPECT_EQ(config(read(sources, "amd_umc_3"), "event=0x0a,rdwrmask=2"), 0x20au);
  sources.add_amd_fabric_zen4("0", 11);
  EXPECT_EQ(config(read(sources, "amd_df"), "event=0x2df,umask=0x7fe"),
            uint64_t{0xdf} | 0xfe << 8 | 0x7 << 24 | uint64_t{0x2} << 32);
  sources.add_amd_fabric_zen2("0", 11);
  EXPECT_EQ(config(read(sources, "amd_df"), "event=0x1c7,umask=0x38"),
            uint64_t{0xc7} | 0x38 << 8 | uint64_t{0x1} << 32);
  EXPECT_EQ(config(read(sources, "amd_df"), "event=0x3fff"),
            uint64_t{0xff} | uint64_t{0xf} << 32 | uint64_t{0x3} << 59);
}

TEST(EventSource, ReadsArmsUnits) {
  FakeEventSources sources;
  sources.add("arm_cmn_0", "9", "0",
              {{"format/type", "config:0-15"},
               {"format/eventid", "config:16-26"},
               {"format/occupid", "config:27-30"},
               {"format/bynodeid", "config:31"},
               {"format/nodeid", "config:32-47"},
               {"format/wp_val", "config1:0-63"},
               {"format/wp_mask", "config2:0-63"},
               {"events/hnf_mc_reqs", "type=0x5,eventid=0xd"},
               {"events/watchpoint_up", "type=0x7770,eventid=0x0,wp_dev_sel=?"}});
  const EventSource mesh = read(sources, "arm_cmn_0");
  EXPECT_EQ(config(mesh, "hnf_mc_reqs"), 0x5u | 0xd << 16);
  std::string problem;
  const auto masked = mesh.encode("wp_mask=0xffffffffffffffff", problem);
  ASSERT_TRUE(masked) << problem;
  EXPECT_EQ(masked->config2, ~uint64_t{0});
  EXPECT_FALSE(mesh.encode("watchpoint_up", problem));
  EXPECT_EQ(problem,
            "arm_cmn_0/watchpoint_up/: wp_dev_sel is for the caller to say, as wp_dev_sel=N");

  sources.add("hisi_sccl1_ddrc0", "17", "32",
              {{"format/event", "config:0-4"},
               {"events/flux_rd", "config=0x1"},
               {"events/flux_wr", "config=0x0"}});
  const EventSource controller = read(sources, "hisi_sccl1_ddrc0");
  EXPECT_EQ(controller.cpus(), std::vector<unsigned>{32});
  EXPECT_EQ(config(controller, "flux_rd"), 1u);
}

TEST(EventSource, ReadsAUnitWithoutNamedEventsOrFields) {
  FakeEventSources sources;
  sources.add("software", "1", "", {});
  const EventSource source = read(sources, "software");
  EXPECT_TRUE(source.cpus().empty());
  EXPECT_EQ(config(source, "config=2"), 2u);
}

struct Lie {
  const char* file;
  const char* text;
  const char* problem;  // after the file's path
};

TEST(EventSource, NamesTheFileThatLies) {
  const Lie lies[] = {
      {"/type", "", " = \"\": accepted is the number of the unit"},
      {"/type", "uncore", " = \"uncore\": accepted is the number of the unit"},
      {"/type", "99999999999", " = \"99999999999\": accepted is the number of the unit"},
      {"/cpumask", "0-", " = \"0-\": accepted is a list of CPUs such as 0-3,8"},
      {"/cpumask", "3-1", " = \"3-1\": accepted is a list of CPUs such as 0-3,8"},
      {"/cpumask", "0-4294967295", " = \"0-4294967295\": accepted is a list of CPUs such as 0-3,8"},
      {"/format/event", "config:0-64",
       " = \"config:0-64\": accepted is config, config1 or config2, and bits below 64, as in "
       "config:0-7,32-35"},
      {"/format/event", "config:7-0",
       " = \"config:7-0\": accepted is config, config1 or config2, and bits below 64, as in "
       "config:0-7,32-35"},
      {"/format/event", "config9:0-7",
       " = \"config9:0-7\": accepted is config, config1 or config2, and bits below 64, as in "
       "config:0-7,32-35"},
      {"/format/event", "config:0-63,0-63",
       " = \"config:0-63,0-63\": accepted is config, config1 or config2, and bits below 64, as in "
       "config:0-7,32-35"},
      {"/events/cas_count_read.scale", "much",
       " = \"much\": accepted is a number above 0, such as 6.103515625e-5"},
      {"/events/cas_count_read.scale", "-1",
       " = \"-1\": accepted is a number above 0, such as 6.103515625e-5"},
      {"/events/cas_count_read.scale", "inf",
       " = \"inf\": accepted is a number above 0, such as 6.103515625e-5"},
  };
  for (const Lie& lie : lies) {
    FakeEventSources sources;
    sources.add_intel_channel(0, "0", 14);
    const std::string path = FakeEventSources::path_of("uncore_imc_0") + lie.file;
    sources.write(path, lie.text);
    std::string problem;
    EXPECT_FALSE(EventSource::read("uncore_imc_0", problem, sources.root())) << lie.file;
    EXPECT_EQ(problem, sources.root() + path + lie.problem);
  }
}

TEST(EventSource, NamesWhatIsMissing) {
  FakeEventSources sources;
  EXPECT_TRUE(EventSource::names(sources.root()).empty());
  std::string problem;
  EXPECT_FALSE(EventSource::read("uncore_imc_0", problem, sources.root()));
  EXPECT_EQ(problem,
            sources.root() +
                "/sys/bus/event_source/devices/uncore_imc_0/type cannot be read: without it the "
                "unit cannot be asked to count");
}

TEST(EventSource, RefusesTermsThatTheUnitDoesNotHave) {
  FakeEventSources sources;
  sources.add_intel_channel(0, "0", 14);
  const EventSource source = read(sources, "uncore_imc_0");
  std::string problem;
  EXPECT_FALSE(source.encode("event=0x104", problem));
  EXPECT_EQ(
      problem,
      "uncore_imc_0/event=0x104/: \"event=0x104\" does not fit into the field, which has 8 bits");
  EXPECT_FALSE(source.encode("cas_count", problem));
  EXPECT_EQ(problem, "uncore_imc_0/cas_count/: the unit has no event and no field \"cas_count\"");
  EXPECT_FALSE(source.encode("event=", problem));
  EXPECT_EQ(problem, "uncore_imc_0/event=/: \"event=\" has no number");
  sources.write(FakeEventSources::path_of("uncore_imc_0") + "/format/late", "config3:0-7");
  EXPECT_FALSE(read(sources, "uncore_imc_0").encode("late=1", problem));
  EXPECT_EQ(problem, "uncore_imc_0/late=1/: \"late\" stands in config3, which is not supported");
}

TEST(EventSource, ReadsEverySourceOfThisMachine) {
  for (const std::string& name : EventSource::names()) {
    std::string problem;
    EXPECT_TRUE(EventSource::read(name, problem)) << problem;
  }
}

}  // namespace
}  // namespace numaheap::stats

#include "numaheap/numa/machine.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <cerrno>
#include <random>
#include <string>
#include <thread>

#include "child_process.hpp"
#include "fake_sysfs.hpp"

namespace numaheap::numa {
namespace {

using tests::FakeSysfs;

NodeSet set_of(std::initializer_list<unsigned> ids) {
  NodeSet set;
  for (unsigned id : ids) set.insert(NodeId{id});
  return set;
}

TEST(ParseNodeList, AcceptsWhatTheKernelPrints) {
  const std::pair<const char*, NodeSet> accepted[] = {
      {"", {}},
      {"\n", {}},
      {"0", set_of({0})},
      {"0\n", set_of({0})},
      {"0-3", set_of({0, 1, 2, 3})},
      {"0-3,8\n", set_of({0, 1, 2, 3, 8})},
      {"0-6:2", set_of({0, 2, 4, 6})},
      {"1-8:3,9", set_of({1, 4, 7, 9})},
      {"5-5", set_of({5})},
      {"3,1", set_of({1, 3})},
      {"0001", set_of({1})},
      {"1023", set_of({1023})},
  };
  for (const auto& [text, set] : accepted) {
    const Result<NodeSet> parsed = parse_node_list(text);
    ASSERT_TRUE(parsed) << '"' << text << '"';
    EXPECT_EQ(*parsed, set) << '"' << text << '"';
  }
}

TEST(ParseNodeList, RefusesEverythingElse) {
  for (const char* text : {"1024",    "0-1024", "4294967296", "18446744073709551616",
                           "-1",      "-",      "0-",         "3-1",
                           ",",       "0,",     ",0",         "0,,1",
                           "0,\n",    "0:2",    "0-6:",       "0-6:0",
                           "0-6:2:2", "0-3-5",  " 0",         "0 ",
                           "0-3 5",   "a",      "0x1",        "0\n\n",
                           "0\n1",    "\n0"}) {
    const Result<NodeSet> parsed = parse_node_list(text);
    ASSERT_FALSE(parsed) << '"' << text << '"';
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument) << '"' << text << '"';
  }
}

TEST(ParseNodeList, ReadsBackAnySetThatIsPrintedAsRanges) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    NodeSet set;
    std::string text;
    for (unsigned id = random() % 20; id < kMaxNodes; id += 2 + random() % 200) {
      const unsigned last = std::min<unsigned>(id + random() % 40, kMaxNodes - 1);
      if (!text.empty()) text += ',';
      text += std::to_string(id);
      if (last != id) text.append("-").append(std::to_string(last));
      for (; id <= last; ++id) set.insert(NodeId{id});
    }
    const Result<NodeSet> parsed = parse_node_list(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, set) << text;
  }
}

TEST(Machine, WithoutNodeFilesIsOneNode) {
  const FakeSysfs empty;
  const Machine machine = read_machine(empty.nodes().c_str(), empty.status().c_str());
  EXPECT_EQ(machine.online, set_of({0}));
  EXPECT_EQ(machine.with_memory, set_of({0}));
  EXPECT_EQ(machine.with_cpus, set_of({0}));
  EXPECT_EQ(machine.allowed, set_of({0}));
  EXPECT_EQ(machine.distance(NodeId{0}, NodeId{0}), 10u);
  EXPECT_EQ(machine.distance(NodeId{0}, NodeId{1}), 255u);
}

TEST(Machine, WithMalformedOnlineListIsOneNode) {
  for (const char* text : {"", "\n", "zero", "0-", "0-5000", "0 1"}) {
    FakeSysfs fake;
    fake.write("online", text);
    fake.write("has_memory", "0-1\n");
    const Machine machine = read_machine(fake.nodes().c_str(), fake.status().c_str());
    EXPECT_EQ(machine.online, set_of({0})) << '"' << text << '"';
    EXPECT_EQ(machine.with_memory, set_of({0})) << '"' << text << '"';
  }
}

TEST(Machine, KeepsTheKernelsNumbersWhereNodesAreOffline) {
  FakeSysfs fake;
  fake.write("online", "0,2,7\n");
  fake.write("has_memory", "0,2,7\n");
  fake.write("has_cpu", "0,2,7\n");
  fake.write("node0/distance", "10 21 31\n");
  fake.write("node2/distance", "21 10 17\n");
  fake.write("node7/distance", "31 17 10\n");
  const Machine machine = read_machine(fake.nodes().c_str(), fake.status().c_str());
  EXPECT_EQ(machine.online, set_of({0, 2, 7}));
  EXPECT_EQ(machine.distance(NodeId{0}, NodeId{7}), 31u);
  EXPECT_EQ(machine.distance(NodeId{7}, NodeId{2}), 17u);
  EXPECT_EQ(machine.distance(NodeId{2}, NodeId{2}), 10u);
  EXPECT_EQ(machine.distance(NodeId{0}, NodeId{1}), 255u) << "node 1 is offline";
}

TEST(Machine, TellsNodesWithoutCpusAndWithoutMemory) {
  FakeSysfs fake;
  fake.write("online", "0-3\n");
  fake.write("has_memory", "0,2-3\n");
  fake.write("has_cpu", "0-1\n");
  const Machine machine = read_machine(fake.nodes().c_str(), fake.status().c_str());
  EXPECT_EQ(machine.with_memory, set_of({0, 2, 3}));
  EXPECT_EQ(machine.with_cpus, set_of({0, 1}));
  EXPECT_EQ(machine.allowed, set_of({0, 2, 3}));
}

TEST(Machine, TakesAMalformedListOfAnotherKindAsAllNodes) {
  FakeSysfs fake;
  fake.write("online", "0-1\n");
  fake.write("has_memory", "0-x\n");
  fake.write("has_cpu", "nodes\n");
  fake.write("node0/distance", "10 99999999999\n");
  fake.write("node1/distance", "? 10\n");
  fake.write_status("Mems_allowed_list:\tall\n");
  const Machine machine = read_machine(fake.nodes().c_str(), fake.status().c_str());
  EXPECT_EQ(machine.with_memory, set_of({0, 1}));
  EXPECT_EQ(machine.with_cpus, set_of({0, 1}));
  EXPECT_EQ(machine.allowed, set_of({0, 1}));
  EXPECT_EQ(machine.distance(NodeId{0}, NodeId{1}), 255u);
  EXPECT_EQ(machine.distance(NodeId{1}, NodeId{0}), 255u);
  EXPECT_EQ(machine.distance(NodeId{1}, NodeId{1}), 10u);
}

TEST(Machine, AllowsWhatTheCpusetLeaves) {
  FakeSysfs fake;
  fake.write("online", "0-3\n");
  fake.write("has_memory", "0-2\n");
  fake.write_status("Name:\ttest\nMems_allowed:\t0000000a\nMems_allowed_list:\t1,3\nafter:\t0\n");
  const Machine machine = read_machine(fake.nodes().c_str(), fake.status().c_str());
  EXPECT_EQ(machine.allowed, set_of({1})) << "node 3 has no memory";
}

TEST(Machine, AsksWhatIsAllowedByASystemCall) {
  FakeSysfs fake;
  fake.write_status("Mems_allowed_list:\t7\n");
  const Result<NodeSet> allowed = read_allowed_nodes(fake.status().c_str());
  ASSERT_TRUE(allowed);
  EXPECT_FALSE(allowed->empty());
  EXPECT_NE(*allowed, set_of({7})) << "the file is not read";
}

TEST(Machine, ReadsWhatIsAllowedWhereTheSystemCallIsRefused) {
  FakeSysfs fake;
  fake.write_status("Mems_allowed_list:\t7,9\n");
  EXPECT_EQ(tests::in_child([&] {
              NH_CHILD_EXPECT(tests::refuse_system_calls({{SYS_get_mempolicy, EPERM}}));
              const Result<NodeSet> allowed = read_allowed_nodes(fake.status().c_str());
              NH_CHILD_EXPECT(allowed && *allowed == set_of({7, 9}));
              const Result<NodeSet> unknown = read_allowed_nodes("/nowhere");
              NH_CHILD_EXPECT(!unknown && unknown.error().system_errno == EPERM);
              NH_CHILD_EXPECT(unknown.error().code == ErrorCode::kNotPermitted);
            }),
            0);
}

TEST(Machine, FindsTheCpusetBehindLinesOfAnyLength) {
  FakeSysfs fake;
  fake.write("online", "0-3\n");
  std::string groups = "Groups:\t";
  for (int id = 0; id < 5000; ++id) groups += std::to_string(id) + " Mems_allowed_list:\t0 ";
  fake.write_status(groups + "\nMems_allowed_list: 2\n");
  const Machine machine = read_machine(fake.nodes().c_str(), fake.status().c_str());
  EXPECT_EQ(machine.allowed, set_of({2}));
}

TEST(Machine, AllowsAllMemoryWhereTheCpusetNamesNoneOfIt) {
  for (const char* status : {"", "Name:\tx\n", "Mems_allowed_list:\t\n", "Mems_allowed_list:\t9\n",
                             "Mems_allowed_list:"}) {
    FakeSysfs fake;
    fake.write("online", "0-1\n");
    fake.write_status(status);
    const Machine machine = read_machine(fake.nodes().c_str(), fake.status().c_str());
    EXPECT_EQ(machine.allowed, set_of({0, 1})) << '"' << status << '"';
  }
}

TEST(Machine, HoldsMoreNodesThanHeaps) {
  FakeSysfs fake;
  fake.write("online", "0-99\n");
  for (unsigned node = 0; node < 100; ++node) {
    std::string row;
    for (unsigned to = 0; to < 100; ++to)
      row += std::to_string(node == to ? 10 : 20 + (node + to) % 100) + " ";
    fake.write(std::string("node").append(std::to_string(node)) + "/distance", row);
  }
  const Machine machine = read_machine(fake.nodes().c_str(), fake.status().c_str());
  EXPECT_EQ(machine.online.size(), 100u);
  EXPECT_EQ(machine.distance(NodeId{63}, NodeId{62}), 20u + 25u);
  EXPECT_EQ(machine.distance(NodeId{64}, NodeId{0}), 255u) << "not kept";
  EXPECT_EQ(machine.distance(NodeId{99}, NodeId{99}), 10u);
}

TEST(Machine, RefusesAPathThatDoesNotFitInsteadOfReadingAnother) {
  const std::string deep(1000, 'd');
  const Machine machine = read_machine(deep.c_str(), deep.c_str());
  EXPECT_EQ(machine.online, set_of({0}));
}

TEST(Machine, LiveHasTheNodeThatWeRunOnAndKeepsErrno) {
  errno = 77;
  const Machine machine = read_machine();
  const NodeId here = current_node();
  const NodeId pinned = pinned_node();
  EXPECT_EQ(errno, 77);
  EXPECT_TRUE(machine.online.contains(here));
  EXPECT_TRUE(pinned == kNoNode || machine.with_cpus.contains(pinned));
  for (NodeId node = machine.allowed.next(NodeId{0}); node != kNoNode;
       node = machine.allowed.next(NodeId{node.value + 1})) {
    EXPECT_TRUE(machine.with_memory.contains(node));
  }
}

/// Runs body(cpu) in a thread that is pinned to each CPU of this process in turn.
template <class Body>
void on_each_cpu(Body body) {
  cpu_set_t mine;
  ASSERT_EQ(sched_getaffinity(0, sizeof mine, &mine), 0);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &mine)) continue;
    std::thread([&] {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
      body(cpu);
    }).join();
  }
}

TEST(CurrentNode, AgreesWithGetcpuOnEveryCpu) {
  on_each_cpu([](int) {
    unsigned cpu = 0;
    unsigned node = 0;
    ASSERT_EQ(getcpu(&cpu, &node), 0);
    EXPECT_EQ(current_node(), NodeId{node});
    EXPECT_EQ(pinned_node(), NodeId{node});
  });
}

TEST(PinnedNode, IsTheNodeThatHoldsTheWholeMask) {
  on_each_cpu([](int cpu) {
    FakeSysfs fake;
    const NodeId here = current_node();
    fake.write("online", "0-1\n");
    const std::string cpulist = std::string("node").append(std::to_string(here.value)) + "/cpulist";
    fake.write(cpulist, std::to_string(cpu) + "\n");
    EXPECT_EQ(pinned_node(fake.nodes().c_str()), here);
    fake.write(cpulist, std::to_string(cpu + 1) + "-8191\n");
    EXPECT_EQ(pinned_node(fake.nodes().c_str()), kNoNode);
    fake.write(cpulist, "0-8192\n");  // one more than the kernel can have
    EXPECT_EQ(pinned_node(fake.nodes().c_str()), kNoNode);
  });
}

TEST(PinnedNode, IsNodeZeroWhereTheKernelHasNoNodes) {
  const FakeSysfs empty;
  EXPECT_EQ(pinned_node(empty.nodes().c_str()), NodeId{0});
}

}  // namespace
}  // namespace numaheap::numa

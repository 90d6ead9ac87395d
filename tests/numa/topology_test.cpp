#include "numaheap/numa/topology.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace numaheap::numa {
namespace {

const std::string kData = NUMAHEAP_TEST_DATA;

Topology load(const std::string& source) {
  Result<Topology> topology = Topology::load(source);
  if (!topology) {
    ADD_FAILURE() << source << ": " << topology.error().text;
    std::abort();
  }
  return std::move(*topology);
}

Topology load_file(const std::string& name) { return load("xml:" + kData + '/' + name); }

std::string cpus_of(const Topology& topology, unsigned node) {
  const TopologyNode* found = topology.node(NodeId{node});
  return found == nullptr ? "no such node" : to_list(found->cpus);
}

std::string locate(const Topology& topology, const std::string& location) {
  std::string problem;
  const std::optional<CpuSet> cpus = topology.locate(location, problem);
  return cpus ? to_list(*cpus) : "problem: " + problem;
}

std::vector<unsigned> ids(const std::vector<NodeId>& nodes) {
  std::vector<unsigned> numbers;
  for (NodeId node : nodes) numbers.push_back(node.value);
  return numbers;
}

/// An environment variable for the length of a test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

/// A copy of what the kernel shows below /sys, with 5 CPUs (the last one offline) on nodes 0 and 2, and a node 5 of
/// memory only, whose nearest CPUs are those of node 2.
class CopiedSysfs {
 public:
  CopiedSysfs() {
    std::string name = (std::filesystem::temp_directory_path() / "numaheap-fsroot-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    root_ = name;
    write("cpu/online", "0-3");
    write("cpu/possible", "0-4");
    write("cpu/present", "0-4");
    for (unsigned cpu = 0; cpu < 5; ++cpu) {
      const std::string folder = "cpu/cpu" + std::to_string(cpu) + '/';
      write(folder + "online", cpu < 4 ? "1" : "0");
      if (cpu == 4) continue;
      const char* const core[] = {"1", "2", "4", "8"};
      write(folder + "topology/core_cpus", core[cpu]);
      write(folder + "topology/core_id", std::to_string(cpu));
      write(folder + "topology/package_cpus", cpu < 2 ? "3" : "c");
      write(folder + "topology/physical_package_id", std::to_string(cpu / 2));
    }
    write("node/online", "0,2,5");
    write("node/possible", "0-5");
    write_node("0", "3", "0-1", "10 21 31");
    write_node("2", "c", "2-3", "21 10 31");
    write_node("5", "0", "", "31 31 10");
    write("node/node5/access0/initiators/read_bandwidth", "8000");
    write("node/node5/access0/initiators/write_bandwidth", "8000");
    write("node/node5/access0/initiators/read_latency", "300");
    write("node/node5/access0/initiators/write_latency", "300");
    std::filesystem::create_directory_symlink("../../../node2",
                                              system() / "node/node5/access0/initiators/node2");
  }
  ~CopiedSysfs() { std::filesystem::remove_all(root_); }
  CopiedSysfs(const CopiedSysfs&) = delete;
  CopiedSysfs& operator=(const CopiedSysfs&) = delete;

  [[nodiscard]] std::string root() const { return root_; }

 private:
  [[nodiscard]] std::filesystem::path system() const { return root_ / "sys/devices/system"; }
  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = system() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
  }
  void write_node(const std::string& id, const std::string& mask, const std::string& list,
                  const std::string& distances) {
    const std::string folder = "node/node" + id + '/';
    write(folder + "cpumap", mask);
    write(folder + "cpulist", list);
    write(folder + "distance", distances);
    write(folder + "meminfo", "Node " + id + " MemTotal:       1048576 kB");
  }

  std::filesystem::path root_;
};

TEST(Topology, ReadsASyntheticMachine) {
  const Topology topology = load("numa:4(memory=2GiB) core:2 pu:1");
  ASSERT_EQ(topology.nodes().size(), 4u);
  EXPECT_EQ(cpus_of(topology, 0), "0-1");
  EXPECT_EQ(cpus_of(topology, 3), "6-7");
  EXPECT_EQ(topology.nodes()[1].memory, GiB(2));
  EXPECT_EQ(to_list(topology.online_cpus()), "0-7");
  EXPECT_EQ(to_list(topology.allowed_cpus()), "0-7");
  EXPECT_EQ(to_list(topology.usable_nodes()), "0-3");
  EXPECT_FALSE(topology.is_this_system());
  EXPECT_EQ(topology.source(), "numa:4(memory=2GiB) core:2 pu:1");
}

TEST(Topology, TakesTheWordSyntheticBeforeAText) {
  EXPECT_EQ(load("synthetic:numa:2 pu:3").nodes().size(), 2u);
}

TEST(Topology, SaysWhatASyntheticTextLeavesOut) {
  EXPECT_EQ(
      load("numa:2 pu:1").missing(),
      (std::vector<std::string>{
          "Distances between nodes are not known: the source has no matrix \"NUMALatency\".",
          "Bandwidth and latency of memory are not known: the source has no values for them."}));
  const Topology without_sizes = load("pack:2 [numa] pu:1");
  EXPECT_EQ(without_sizes.missing().front(),
            "Sizes of memory are not known: the source gives none.");
  EXPECT_EQ(to_list(without_sizes.usable_nodes()), "0-1");
  EXPECT_FALSE(without_sizes.distance(NodeId{0}, NodeId{1}));
}

TEST(Topology, KnowsTheDistanceOfAnOnlyNodeToItself) {
  const Topology topology = load("numa:1 pu:2");
  EXPECT_EQ(topology.distance(NodeId{0}, NodeId{0}), 10u);
  EXPECT_TRUE(topology.nearest(NodeId{0}).empty());
}

TEST(Topology, KeepsTheKernelsNodeNumbersWhereTheyHaveHoles) {
  const Topology topology = load_file("node_numbers_with_holes.xml");
  EXPECT_EQ(to_list(topology.usable_nodes()), "0,2-3,7");
  EXPECT_EQ(cpus_of(topology, 7), "6-7");
  EXPECT_EQ(topology.node(NodeId{7})->logical_index, 3u);
  EXPECT_EQ(topology.node(NodeId{1}), nullptr);
  EXPECT_FALSE(topology.distance(NodeId{1}, NodeId{0}));
  EXPECT_EQ(locate(topology, "numa:3"), "6-7");
  EXPECT_EQ(topology.missing().front(),
            "Nodes 1,4-6 are not there: offline, or a number that was never given.");
}

TEST(Topology, GivesANodeOfMemoryOnlyNoCpusAlthoughHwlocDoes) {
  const Topology topology = load_file("memory_only_node_with_hmat.xml");
  EXPECT_EQ(cpus_of(topology, 0), "0-1");
  EXPECT_EQ(cpus_of(topology, 1), "2-3");
  EXPECT_EQ(cpus_of(topology, 2), "none");
  EXPECT_EQ(to_list(topology.usable_nodes()), "0-2");
  EXPECT_EQ(topology.missing(),
            (std::vector<std::string>{
                "Node 2 has no CPUs of its own: no thread is at home there.",
                "Bandwidth and latency are known for 3 of 6 pairs of CPUs and memory: Linux shows "
                "the firmware's values for a node's nearest CPUs only."}));
}

TEST(Topology, CountsLocationsLogicallyAlsoWhereThatDiffersFromTheNodeNumbers) {
  const Topology topology = load_file("memory_only_node_with_hmat.xml");
  EXPECT_EQ(topology.node(NodeId{2})->logical_index, 1u);
  EXPECT_EQ(locate(topology, "numa:1"), "none");
  EXPECT_EQ(locate(topology, "numa:2"), "2-3");
  EXPECT_EQ(locate(topology, "numa:1.core:0"), "problem: numa:1 has no core");
}

TEST(Topology, ReadsBandwidthAndLatencyByWhoseCpusSeeThem) {
  const Topology topology = load_file("memory_only_node_with_hmat.xml");
  const TopologyNode* far = topology.node(NodeId{2});
  ASSERT_EQ(far->figures.size(), 1u);
  EXPECT_EQ(far->figures[0].from, NodeId{0});
  EXPECT_EQ(far->figures[0].bandwidth_mib_per_s, 32768u);
  EXPECT_EQ(far->figures[0].latency_ns, 310u);
  EXPECT_EQ(topology.node(NodeId{1})->figures.at(0).latency_ns, 100u);
}

TEST(Topology, ReadsRemoteValuesThatWereWrittenIntoAFile) {
  const Topology topology = load_file("high_bandwidth_nodes.xml");
  const TopologyNode* node = topology.node(NodeId{0});
  ASSERT_EQ(node->figures.size(), 2u);
  EXPECT_EQ(node->figures[0].bandwidth_mib_per_s, 100000u);
  EXPECT_EQ(node->figures[1].from, NodeId{2});
  EXPECT_EQ(node->figures[1].bandwidth_mib_per_s, 30000u);
  EXPECT_FALSE(node->figures[1].latency_ns);
  EXPECT_EQ(topology.node(NodeId{1})->figures.at(0).latency_ns, 90u);
}

TEST(Topology, ReadsDistancesByNodeNumber) {
  const Topology topology = load_file("memory_only_node_with_hmat.xml");
  EXPECT_EQ(topology.distance(NodeId{0}, NodeId{1}), 21u);
  EXPECT_EQ(topology.distance(NodeId{2}, NodeId{1}), 31u);
  EXPECT_EQ(ids(topology.nearest(NodeId{1})), (std::vector<unsigned>{0, 2}));
  EXPECT_EQ(ids(topology.nearest(NodeId{2})), (std::vector<unsigned>{0, 1}));
}

TEST(Topology, AgreesWithAndWithoutHmatOnWhoseTheCpusAre) {
  const Topology topology = load_file("memory_only_node.xml");
  EXPECT_EQ(cpus_of(topology, 1), "2-3");
  EXPECT_EQ(cpus_of(topology, 2), "none");
  EXPECT_TRUE(topology.node(NodeId{0})->figures.empty());
}

TEST(Topology, LeavesANodeWithoutMemoryOutOfTheUsableOnes) {
  const Topology topology = load_file("node_without_memory.xml");
  EXPECT_EQ(topology.node(NodeId{2})->memory, Bytes{0});
  EXPECT_EQ(cpus_of(topology, 2), "2-3");
  EXPECT_EQ(to_list(topology.usable_nodes()), "0,3,7");
  EXPECT_EQ(ids(topology.nearest(NodeId{2})), (std::vector<unsigned>{0, 3, 7}));
  EXPECT_EQ(topology.missing().front(),
            "Node 2 has no memory: its threads get theirs from the nearest node that has some.");
}

TEST(Topology, TellsWhatTheCgroupForbidsFromWhatIsThere) {
  const Topology topology = load_file("restricted_by_cgroup.xml");
  EXPECT_EQ(to_list(topology.online_cpus()), "0-7");
  EXPECT_EQ(to_list(topology.allowed_cpus()), "2-5");
  EXPECT_EQ(topology.nodes().size(), 4u);
  EXPECT_EQ(to_list(topology.usable_nodes()), "0-1");
  EXPECT_TRUE(topology.node(NodeId{1})->allowed);
  EXPECT_FALSE(topology.node(NodeId{2})->allowed);
  EXPECT_EQ(locate(topology, "numa:3"), "6-7") << "locations mean the same in every cgroup";
  EXPECT_EQ(topology.missing()[0],
            "Nodes 2-3 may not be allocated on: the cgroup's cpuset (cpuset.mems) says so.");
  EXPECT_EQ(topology.missing()[1],
            "CPUs 0-1,6-7 may not be run on: the cgroup's cpuset (cpuset.cpus) says so.");
}

TEST(Topology, NamesTheNodesThatAreTooManyForAHeapEach) {
  const Topology topology = load("numa:70 pu:1");
  EXPECT_EQ(topology.nodes().size(), 70u);
  EXPECT_EQ(topology.missing().front(),
            "Nodes 64-69 have no heap: there are more nodes than 64, and the nearest one that has "
            "a heap serves them.");
}

TEST(Topology, GivesTheCpusOfTwoKindsOfMemoryToTheFirstNode) {
  const Topology topology = load("pack:2 [numa(memory=8GiB)] [numa(memory=1GiB)] core:2 pu:1");
  EXPECT_EQ(cpus_of(topology, 0), "0-1");
  EXPECT_EQ(cpus_of(topology, 1), "none");
  EXPECT_EQ(cpus_of(topology, 2), "2-3");
  EXPECT_EQ(locate(topology, "numa:0.core:1"), "1");
}

TEST(Topology, TakesACopiedSysfsForTheLiveMachine) {
  const CopiedSysfs copy;
  const Variable variable("HWLOC_FSROOT", copy.root());
  const Topology topology = load("live");
  EXPECT_FALSE(topology.is_this_system());
  EXPECT_EQ(cpus_of(topology, 0), "0-1");
  EXPECT_EQ(cpus_of(topology, 2), "2-3");
  EXPECT_EQ(cpus_of(topology, 5), "none");
  EXPECT_EQ(to_list(topology.offline_cpus()), "4");
  EXPECT_EQ(topology.node(NodeId{5})->memory, GiB(1));
  EXPECT_EQ(topology.distance(NodeId{0}, NodeId{5}), 31u);
  ASSERT_EQ(topology.node(NodeId{5})->figures.size(), 1u);
  EXPECT_EQ(topology.node(NodeId{5})->figures[0].from, NodeId{2});
  EXPECT_EQ(topology.missing(),
            (std::vector<std::string>{
                "Node 5 has no CPUs of its own: no thread is at home there.",
                "Nodes 1,3-4 are not there: offline, or a number that was never given.",
                "CPU 4 is offline.",
                "Bandwidth and latency are known for 1 of 6 pairs of CPUs and memory: Linux shows "
                "the firmware's values for a node's nearest CPUs only."}));
}

TEST(Topology, HonoursHwlocsVariablesForTheLiveMachineOnly) {
  const Variable variable("HWLOC_SYNTHETIC", "numa:3 pu:2");
  const Topology live = load("live");
  EXPECT_EQ(live.nodes().size(), 3u);
  EXPECT_FALSE(live.is_this_system());
  EXPECT_EQ(load("numa:2 pu:1").nodes().size(), 2u);
}

TEST(Topology, RefusesSourcesThatAreNone) {
  const auto refused = [](const std::string& source) {
    const Result<Topology> topology = Topology::load(source);
    return topology ? "accepted" : std::string(topology.error().text);
  };
  const std::string accepted =
      "accepted are \"live\", \"xml:PATH\" and a synthetic topology of hwloc such as \"numa:4 "
      "core:2 pu:1\"";
  EXPECT_EQ(refused("xml:/nowhere/topology.xml"), "there is no such file");
  EXPECT_EQ(refused("xml:" + kData + "/../topology_test.cpp"),
            "the file is not a topology in hwloc's XML, as lstopo(1) writes it");
  EXPECT_EQ(refused("socket:4"), accepted);
  EXPECT_EQ(refused("numa:"), accepted);
  EXPECT_EQ(refused(""), accepted);
  EXPECT_EQ(Topology::load("xml:/nowhere").error().code, ErrorCode::kNotFound);
}

TEST(Location, IsReadAsHwlocCalcReadsIt) {
  const Topology topology = load("pack:2 numa:2 core:2 pu:2");
  EXPECT_EQ(locate(topology, "all"), "0-15");
  EXPECT_EQ(locate(topology, "root"), "0-15");
  EXPECT_EQ(locate(topology, "machine:0"), "0-15");
  EXPECT_EQ(locate(topology, "numa:1"), "4-7");
  EXPECT_EQ(locate(topology, "package:1.numa:0"), "8-11");
  EXPECT_EQ(locate(topology, "package:1.numa:1.core:0.pu:1"), "13");
  EXPECT_EQ(locate(topology, "numa:all.core:0"), "0-1,4-5,8-9,12-13");
  EXPECT_EQ(locate(topology, "core:2-3"), "4-7");
  EXPECT_EQ(locate(topology, "core:6-"), "12-15");
  EXPECT_EQ(locate(topology, "core:7:2"), "0-1,14-15");
  EXPECT_EQ(locate(topology, "core:odd"), "2-3,6-7,10-11,14-15");
  EXPECT_EQ(locate(topology, "package:0.pu:even"), "0,2,4,6");
  EXPECT_EQ(locate(topology, "numanode:0 pu:15"), "0-3,15");
  EXPECT_EQ(locate(topology, "0xf0"), "4-7");
  EXPECT_EQ(locate(topology, "0xf...f"), "0-15");
  EXPECT_EQ(locate(topology, "all ~numa:0 ~core:7"), "4-13");
  EXPECT_EQ(locate(topology, "package:0 xpu:even"), "0,2,4,6");
  EXPECT_EQ(locate(topology, "numa:0 ^core:1-2"), "0-1,4-5");
}

TEST(Location, SelectsMemoryByItsKind) {
  const Topology topology = load_file("high_bandwidth_nodes.xml");
  EXPECT_EQ(topology.node(NodeId{0})->kind, "");
  EXPECT_EQ(topology.node(NodeId{3})->kind, "HBM");
  EXPECT_EQ(locate(topology, "package:1.numa:0"), "2-3");
  EXPECT_EQ(locate(topology, "numa[hbm]:all"), "none") << "memory only";
  EXPECT_EQ(locate(topology, "hbm:2"),
            "problem: there is no hbm:2 in this machine, which has hbm:0 to hbm:1");
}

TEST(Location, SaysWhatIsWrongAndWhatThereIs) {
  const Topology topology = load("numa:2 core:2 pu:1");
  const std::string types = "numa, machine, group0, core, pu";
  const std::string indexes = "N, N-M, N-, N:COUNT (COUNT at most 4), all, odd and even";
  EXPECT_EQ(locate(topology, "numa:2"),
            "problem: there is no numa:2 in this machine, which has numa:0 to numa:1");
  EXPECT_EQ(locate(topology, "numa:0.core:0-3"),
            "problem: there is no core:0-3 in numa:0, which has core:0 to core:1");
  EXPECT_EQ(locate(topology, "core:1.pu:1"), "problem: there is no pu:1 in core:1, which has pu:0");
  EXPECT_EQ(locate(topology, "cpu:0"),
            "problem: \"cpu\" is not a type of object; this machine has " + types);
  EXPECT_EQ(locate(topology, "l3:0"),
            "problem: there is no \"l3\" with CPUs; this machine has " + types);
  EXPECT_EQ(locate(topology, "numa[hbm]:0"),
            "problem: this machine has no numa[hbm]; it has " + types);
  EXPECT_EQ(locate(topology, "core[big]:0"),
            "problem: there is no \"core[big]\" with CPUs; this machine has " + types);
  EXPECT_EQ(locate(topology, "core:1,2"),
            "problem: \"1,2\" is not an index of core; accepted are " + indexes);
  EXPECT_EQ(locate(topology, "core:2-1"),
            "problem: \"2-1\" is not an index of core; accepted are " + indexes);
  EXPECT_EQ(locate(topology, "core:0:5"),
            "problem: \"0:5\" is not an index of core; accepted are " + indexes);
  EXPECT_EQ(locate(topology, "core:0:0"),
            "problem: \"0:0\" is not an index of core; accepted are " + indexes);
  EXPECT_EQ(locate(topology, "core:-1"),
            "problem: \"-1\" is not an index of core; accepted are " + indexes);
  EXPECT_EQ(locate(topology, "core:99999999999999999999"),
            "problem: \"99999999999999999999\" is not an index of core; accepted are " + indexes);
  EXPECT_EQ(locate(topology, "numa"),
            "problem: \"numa\" is not a location; accepted are TYPE:INDEX[.TYPE:INDEX...], e.g. "
            "numa:0.core:0-3, with TYPE " +
                types +
                " and INDEX N, N-M, N-, N:COUNT, all, odd or even; all; and masks such as 0xff");
  EXPECT_EQ(locate(topology, "0x10"),
            "problem: the mask \"0x10\" names CPUs that are not there (4); the CPUs are 0-3");
  EXPECT_EQ(locate(topology, "0xg"),
            "problem: \"0xg\" is not a CPU mask; accepted are hexadecimal digits in blocks of 8, "
            "\"0xff,0x00000001\"");
  EXPECT_EQ(locate(topology, " "),
            "problem: the location is empty; accepted are e.g. \"all\", \"numa:0\" and "
            "\"numa:0.core:0-3\"");
  for (const char* text :
       {"~", "x", "numa:0.", ".", ":", "numa:0..core:0", "numa:", ":0", "0x", "-1", "^^all"}) {
    EXPECT_EQ(locate(topology, text).substr(0, 9), "problem: ") << text;
  }
}

TEST(CpuSet, IsWrittenAndReadAsTheKernelDoes) {
  for (const char* list : {"0", "0-3,8", "63-64", "0,2,4", "8191", "0-8191"}) {
    const Result<CpuSet> cpus = parse_cpu_list(list);
    ASSERT_TRUE(cpus) << list;
    EXPECT_EQ(to_list(*cpus), list);
  }
  EXPECT_TRUE(parse_cpu_list("")->empty());
  EXPECT_EQ(to_list(*parse_cpu_list("0-6:2\n")), "0,2,4,6");
  for (const char* text : {"8192", "3-1", "a", "1-", "1,,2", "-1"})
    EXPECT_FALSE(parse_cpu_list(text)) << text;
}

TEST(CpuSet, IsCombinedBitByBit) {
  const CpuSet low = *parse_cpu_list("0-7");
  const CpuSet high = *parse_cpu_list("6-100");
  EXPECT_EQ(to_list(low | high), "0-100");
  EXPECT_EQ(to_list(low & high), "6-7");
  EXPECT_EQ(to_list(low - high), "0-5");
  EXPECT_EQ((low | high).size(), 101u);
  EXPECT_TRUE((low & high).is_subset_of(low));
  EXPECT_FALSE(high.is_subset_of(low));
  EXPECT_EQ(low.next(8), CpuSet::kNone);
  EXPECT_EQ(to_list(CpuSet{}), "none");
}

}  // namespace
}  // namespace numaheap::numa

#include "numaheap/numa/topology.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "topologies.hpp"

namespace numaheap::numa {
namespace {

using tests::kData;
using tests::load;
using tests::load_file;
using tests::locate;

std::string cpus_of(const Topology& topology, unsigned node) {
  const TopologyNode* found = topology.node(NodeId{node});
  return found == nullptr ? "no such node" : to_list(found->cpus);
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

}  // namespace
}  // namespace numaheap::numa

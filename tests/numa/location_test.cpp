// hwloc's location syntax: what `where` says in a roles file.
#include <gtest/gtest.h>

#include <string>

#include "topologies.hpp"

namespace numaheap::numa {
namespace {

using tests::load;
using tests::load_file;
using tests::locate;

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

}  // namespace
}  // namespace numaheap::numa

/// \file
/// Where the memory of threads in roles is, on a machine with several nodes: the kernel is asked, page by page.

#include <gtest/gtest.h>

#include <sstream>

#include "child_process.hpp"
#include "numa/on_nodes.hpp"
#include "skip.hpp"

namespace numaheap::tests {
namespace {

/// A node's CPUs as the kernel lists them.
std::string cpus_of(NodeId node) {
  const std::string list =
      read_file("/sys/devices/system/node/node" + std::to_string(node.value) + "/cpulist");
  return list.substr(0, list.find('\n'));
}

/// The share of each node in percent, from a line "who: node share node share".
std::map<unsigned, unsigned> shares(const std::string& out, const std::string& who) {
  std::map<unsigned, unsigned> result;
  const size_t at = out.find(who + ":");
  if (at == std::string::npos) return result;
  std::stringstream line(out.substr(at + who.size() + 1, out.find('\n', at) - at - who.size() - 1));
  for (unsigned node = 0, share = 0; line >> node >> share;) result[node] = share;
  return result;
}

TEST(PreloadPlacement, PutsTheMemoryOfARolesThreadsWhereTheRoleSays) {
  NH_NEEDS_NODES(2u);
  const std::vector<NodeId> nodes = nodes_to_run_on();
  const std::string near = std::to_string(nodes[0].value);
  const std::string far = std::to_string(nodes[1].value);
  // "far" runs on one node and has its memory on another.
  const std::string roles =
      "1;default|||local:" + near + "|nearest|0|0;far|far-*|" + cpus_of(nodes[0]) + "|node:" + far +
      "|nearest|0|0;spread|spread*||interleaved:" + near + "," + far +
      "|nearest|0|0;pinned|pinned*|" + cpus_of(nodes[1]) + "|local:" + far + "|nearest|0|0";
  const Finished finished = run({PRELOAD_PROBE, "placement"},
                                {{"LD_PRELOAD", PRELOAD_OBJECT}, {"NUMAHEAP_ROLES", roles}});
  ASSERT_EQ(finished.status, 0) << finished.err;
  const std::map<unsigned, unsigned> all_far = {{nodes[1].value, 100}};
  EXPECT_EQ(shares(finished.out, "named by itself"), all_far) << finished.out << finished.err;
  EXPECT_EQ(shares(finished.out, "named by its creator"), all_far) << finished.out << finished.err;
  EXPECT_EQ(shares(finished.out, "pinned"), all_far) << finished.out << finished.err;
  const auto spread = shares(finished.out, "interleaved");
  EXPECT_EQ(spread.size(), nodes_with_memory().size()) << finished.out;
  for (const auto& [node, share] : spread) {
    EXPECT_GT(share, 25 / spread.size())
        << finished.out;  // in steps of 2 MiB where huge pages are on
  }
}

}  // namespace
}  // namespace numaheap::tests

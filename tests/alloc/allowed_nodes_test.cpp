// A cpuset that changes at run time: what the heap says, without one.
#include "alloc/allowed_nodes.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <initializer_list>
#include <string>
#include <vector>

#include "alloc/report.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/numa/machine.hpp"
#include "own_process.hpp"
#include "skip.hpp"

namespace numaheap {
namespace {

using alloc::compare_allowed_nodes;
using alloc::watch_allowed_nodes;
using tests::run_in_own_process;

std::vector<std::string> g_heard;

void listen(const Report& report, void* /*context*/) noexcept {
  if (report.kind == ReportKind::kPlacement) g_heard.emplace_back(report.text);
}

/// What is reported about the nodes from now on; the heap has a range for node 0, at least.
void start_listening() {
  deallocate(allocate(1));
  set_report_callback(listen, nullptr);
  g_heard.clear();
}

/// What was heard since the last call.
std::vector<std::string> heard_now() {
  alloc::deliver_reports();
  std::vector<std::string> heard;
  heard.swap(g_heard);
  return heard;
}

NodeSet set_of(std::initializer_list<unsigned> ids) {
  NodeSet nodes;
  for (unsigned id : ids) nodes.insert(NodeId{id});
  return nodes;
}

NH_OWN_PROCESS(TellsWhatIsGoneAndBack) {
  start_listening();
  watch_allowed_nodes(set_of({0, 1000}));
  compare_allowed_nodes(set_of({0, 1000}));
  NH_CHILD_EXPECT(heard_now().empty());
  compare_allowed_nodes(set_of({1000}));
  std::vector<std::string> heard = heard_now();
  NH_CHILD_EXPECT(heard.size() == 1);
  NH_CHILD_EXPECT(heard[0].starts_with("node 0 may no longer be used (cpuset)"));
  compare_allowed_nodes(set_of({1000}));
  NH_CHILD_EXPECT(heard_now().empty());
  compare_allowed_nodes(set_of({0, 1000}));
  heard = heard_now();
  NH_CHILD_EXPECT(heard.size() == 1);
  NH_CHILD_EXPECT(heard[0].starts_with("node 0 may be used again (cpuset)"));
  for (int i = 0; i < 100; ++i) {  // a cpuset that goes to and fro is told of once
    compare_allowed_nodes(set_of({1000}));
    compare_allowed_nodes(set_of({0, 1000}));
  }
  NH_CHILD_EXPECT(heard_now().empty());
}

NH_OWN_PROCESS(TellsOfNodesWithoutARange) {
  start_listening();
  watch_allowed_nodes(set_of({0}));
  compare_allowed_nodes(set_of({0, 1001, 1003, 1004, 1005}));
  std::vector<std::string> heard = heard_now();
  NH_CHILD_EXPECT(heard.size() == 1);
  NH_CHILD_EXPECT(heard[0].starts_with("nodes 1001,1003-1005 may be used now (cpuset)"));
  compare_allowed_nodes(set_of({0}));  // nothing of ours was there
  NH_CHILD_EXPECT(heard_now().empty());
}

NH_OWN_PROCESS(CutsLongLists) {
  start_listening();
  watch_allowed_nodes({});
  NodeSet every_other;
  for (unsigned id = 500; id < kMaxNodes; id += 2) every_other.insert(NodeId{id});
  compare_allowed_nodes(every_other);
  std::vector<std::string> heard = heard_now();
  NH_CHILD_EXPECT(heard.size() == 1);
  NH_CHILD_EXPECT(heard[0].starts_with("nodes 500,502,504,"));
  NH_CHILD_EXPECT(heard[0].ends_with("the nearest node's range serves it"));
}

NH_OWN_PROCESS(AsksNowAndThen) {
  start_listening();
  NodeSet without_node_0;
  without_node_0.insert(NodeId{1000});
  watch_allowed_nodes(without_node_0);  // as if node 0 had been gone meanwhile
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (g_heard.empty() && std::chrono::steady_clock::now() < deadline)
    deallocate(allocate(size_t{6} << 20));  // a slow path
  NH_CHILD_EXPECT(!g_heard.empty());
  NH_CHILD_EXPECT(g_heard[0].find("may be used again (cpuset)") != std::string::npos);
}

NH_OWN_PROCESS(NeverAsksWhereNothingIsWatched) {
  start_listening();
  alloc::sample_allowed_nodes();
  NH_CHILD_EXPECT(heard_now().empty());
}

NH_OWN_PROCESS(TellsThatItCannotPopulate) {
  start_listening();
  for (int i = 0; i < 3; ++i)
    alloc::report_not_populated(0, {ErrorCode::kSystem, EINVAL, "no thread may run there"});
  const std::vector<std::string> heard = heard_now();
  NH_CHILD_EXPECT(heard.size() == 1);
  NH_CHILD_EXPECT(heard[0].find(": no thread may run there: the first touch") != std::string::npos);
}

TEST(AllowedNodes, ThatAreGoneAndBackAreToldOnce) {
  const tests::OwnProcess process = run_in_own_process("TellsWhatIsGoneAndBack");
  EXPECT_EQ(process.status, 0) << process.output;
}
TEST(AllowedNodes, ThatCameLaterAreServedByANearRange) {
  const tests::OwnProcess process = run_in_own_process("TellsOfNodesWithoutARange");
  EXPECT_EQ(process.status, 0) << process.output;
}
TEST(AllowedNodes, AreListedAsFarAsAReportHasRoom) {
  const tests::OwnProcess process = run_in_own_process("CutsLongLists");
  EXPECT_EQ(process.status, 0) << process.output;
}
TEST(AllowedNodes, AreAskedForByTheHousekeeping) {
  if (!numa::read_machine().allowed.contains(NodeId{0})) NH_SKIP("node 0 is not for us");
  const tests::OwnProcess process = run_in_own_process("AsksNowAndThen");
  EXPECT_EQ(process.status, 0) << process.output;
}
TEST(AllowedNodes, AreNotAskedForUnlessTheyAreWatched) {
  const tests::OwnProcess process = run_in_own_process("NeverAsksWhereNothingIsWatched");
  EXPECT_EQ(process.status, 0) << process.output;
}
TEST(AllowedNodes, ThatNobodyMayRunOnAreReportedWithTheReason) {
  const tests::OwnProcess process = run_in_own_process("TellsThatItCannotPopulate");
  EXPECT_EQ(process.status, 0) << process.output;
}

}  // namespace
}  // namespace numaheap

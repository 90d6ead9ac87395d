#include "allowed_nodes.hpp"

#include <atomic>
#include <cstdio>

#include "heap.hpp"
#include "report.hpp"

namespace numaheap::alloc {

namespace {

// What was allowed when somebody last looked, word by word: an exchange of a word gives each change to one thread.
std::atomic<uint64_t> g_allowed[kMaxNodes / 64];
std::atomic<bool> g_watched{false};

/// Nodes for a sentence: "node 3", "nodes 1,4-6", cut where a report has no room for them.
class NodeList {
 public:
  explicit NodeList(const NodeSet& nodes) noexcept {
    const char* before = nodes.size() == 1 ? "node " : "nodes ";
    for (NodeId first = nodes.next(NodeId{0}); first != kNoNode;) {
      NodeId last = first;
      while (nodes.contains(NodeId{last.value + 1})) ++last.value;
      add(before, first);
      if (last != first) add("-", last);
      before = ",";
      first = nodes.next(NodeId{last.value + 1});
    }
  }
  [[nodiscard]] const char* text() const noexcept { return text_; }

 private:
  void add(const char* before, NodeId node) noexcept {
    const int length = snprintf(text_ + used_, sizeof text_ - used_, "%s%u", before, node.value);
    used_ += length < 0 ? 0 : static_cast<size_t>(length);
    if (used_ >= sizeof text_) used_ = sizeof text_ - 1;
  }

  char text_[64] = "";
  size_t used_ = 0;
};

void report_nodes(const NodeSet& nodes, const char* what) noexcept {
  if (nodes.empty()) return;
  char text[200];
  snprintf(text, sizeof text, "%s %s", NodeList(nodes).text(), what);
  report_copy(ReportKind::kPlacement, text);
}

}  // namespace

void watch_allowed_nodes(const NodeSet& now) noexcept {
  for (unsigned i = 0; i < kMaxNodes / 64; ++i)
    g_allowed[i].store(now.words()[i], std::memory_order_relaxed);
  g_watched.store(true, std::memory_order_relaxed);
}

void sample_allowed_nodes() noexcept {
  if (!g_watched.load(std::memory_order_relaxed)) return;
  if (const Result<NodeSet> now = numa::read_allowed_nodes()) {
    compare_allowed_nodes(*now);
  } else {
    g_watched.store(false, std::memory_order_relaxed);  // the program put itself into a sandbox
  }
}

void compare_allowed_nodes(const NodeSet& now) noexcept {
  NodeSet gone;
  NodeSet back;
  NodeSet others;
  for (unsigned i = 0; i < kMaxNodes / 64; ++i) {
    const uint64_t is = now.words()[i];
    if (g_allowed[i].load(std::memory_order_relaxed) == is) continue;
    const uint64_t was = g_allowed[i].exchange(is, std::memory_order_relaxed);
    for (unsigned bit = 0; bit < 64; ++bit) {
      if (((was ^ is) >> bit & 1) == 0) continue;
      const NodeId node{i * 64 + bit};
      const bool has_range = g_heap.index_of(Placement::node(node)) != kNoPlacement;
      const bool came = (is >> bit & 1) != 0;
      if (has_range) {
        (came ? back : gone).insert(node);
      } else if (came) {
        others.insert(node);
      }
    }
  }
  report_nodes(gone,
               "may no longer be used (cpuset): new pages of its range come from nodes that may");
  report_nodes(back, "may be used again (cpuset): new pages of its range lie there");
  report_nodes(others,
               "may be used now (cpuset) but had no memory for us at the start: the nearest node's "
               "range serves it");
}

void report_not_populated(unsigned placement, const Error& refusal) noexcept {
  char text[200];
  snprintf(text, sizeof text, "node %u: %s: the first touch places new pages of its range",
           g_heap.placement(placement).node.value, refusal.text);
  report_copy(ReportKind::kPlacement, text, refusal.system_errno);
}

}  // namespace numaheap::alloc

/// \file
/// NodeRanges: the ranges of a heap on the live machine, for tests that are labelled numa.

#pragma once

#include <vector>

#include "numaheap/numa/address_space.hpp"
#include "on_nodes.hpp"

namespace numaheap::numa {

inline constexpr size_t kPage = 4096;

/// One range per node with memory, and then an interleaved and a weighted one over all of them.
class NodeRanges : public AddressSpace {
 public:
  NodeRanges() : nodes_(tests::nodes_with_memory()) {
    std::vector<RangeSpec> specs;
    NodeSet all;
    for (NodeId node : nodes_) {
      RangeSpec spec;
      spec.node = node;
      specs.push_back(spec);
      all.insert(node);
    }
    for (const Placing placing : {Placing::kInterleaved, Placing::kWeighted}) {
      RangeSpec spec;
      spec.placing = placing;
      spec.nodes = all;
      specs.push_back(spec);
    }
    AddressSpaceOptions options;
    options.span = GiB(4);
    reserved_ = reserve(specs.data(), static_cast<unsigned>(specs.size()), 1, options).has_value();
  }
  ~NodeRanges() { release(); }

  [[nodiscard]] bool reserved() const { return reserved_; }
  [[nodiscard]] const std::vector<NodeId>& nodes() const { return nodes_; }
  [[nodiscard]] unsigned interleaved() const { return static_cast<unsigned>(nodes_.size()); }
  [[nodiscard]] unsigned weighted() const { return interleaved() + 1; }
  /// Opens the first bytes of a range, in small pages.
  char* open_in_small_pages(unsigned range, Bytes bytes) {
    if (!open(range, bytes)) return nullptr;
    (void)advise_huge_pages(range_start(range), bytes,
                            false);  // a kernel without huge pages refuses: as well
    return reinterpret_cast<char*>(range_start(range));
  }

 private:
  std::vector<NodeId> nodes_;
  bool reserved_ = false;
};

}  // namespace numaheap::numa

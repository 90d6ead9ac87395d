/// \file
/// Topology::Reader: fills a Topology from a source through hwloc, and says what the source did not tell.

#pragma once

#include <string>
#include <string_view>

#include "hwloc_view.hpp"
#include "numaheap/numa/topology.hpp"

namespace numaheap::numa {

class Topology::Reader {
 public:
  explicit Reader(Topology& topology) noexcept : topology_(topology) {}

  Status read(std::string_view source);

 private:
  Status open(std::string_view source);
  void read_sets();
  void read_nodes();
  void read_own_cpus();
  void read_distances();
  void read_figures();
  void describe_nodes();
  void describe_cpus();
  void describe_figures();
  void lacks(std::string sentence) { topology_.missing_.push_back(std::move(sentence)); }

  Topology& topology_;
  bool is_live_ = false;
  bool has_sizes_ = false;      // some node has memory
  std::string node_directory_;  // the kernel's own lists of nodes; empty if the source has none
};

}  // namespace numaheap::numa

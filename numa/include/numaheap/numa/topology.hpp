/// \file
/// Topology: a machine with its NUMA nodes, CPUs, memory, distances and the firmware's bandwidths and latencies, and
/// where a location such as "numa:0.core:0-3" is on it. From the live machine, a file, or a line of text: so any
/// machine can be looked at anywhere.
///
/// What the source does not tell is not made up: it is empty here, and missing() says why in a sentence.
///
/// Node and CPU numbers are the kernel's (what numactl(8) prints). Locations count by hwloc's logical indexes, over
/// the whole machine, CPUs and nodes that are not allowed included: so a location means the same in every cgroup.
///
/// Threads: a loaded topology is only read. It allocates, and asks the kernel through hwloc: not for malloc, which uses
/// Machine. Loading takes milliseconds.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "numaheap/base/api.h"
#include "numaheap/base/bytes.hpp"
#include "numaheap/base/node_id.hpp"
#include "numaheap/base/result.hpp"
#include "numaheap/numa/cpu_set.hpp"

namespace numaheap::numa {

/// A node's memory as seen from the CPUs of a node, as the firmware tells it (ACPI HMAT), as it was measured
/// (measured_xml.hpp), or as hwloc-annotate(1) wrote it into an XML file. Linux gives the firmware's values of a node's
/// nearest CPUs only.
struct MemoryFigures {
  NodeId from;
  std::optional<uint64_t> bandwidth_mib_per_s;
  std::optional<uint64_t> latency_ns;
};

struct Measurement;

struct TopologyNode {
  NodeId id;
  unsigned logical_index;  ///< K in the location "numa:K".
  std::string kind;  ///< hwloc's subtype, such as "HBM" or "MCDRAM"; empty for ordinary memory.
  CpuSet cpus;       ///< Its own, online, allowed or not. Empty for a node of memory only.
  Bytes memory;      ///< 0 for a node without memory, and for all where the source gives no sizes.
  bool allowed;      ///< This process may allocate there (the cgroup's cpuset).
  std::vector<MemoryFigures> figures;  ///< By `from`; those with a value only.
};

class NH_API Topology {
 public:
  /// \param source  "live": this machine, or what HWLOC_XMLFILE, HWLOC_SYNTHETIC, HWLOC_FSROOT, ... say instead;
  ///                "xml:PATH": a file as lstopo(1) writes it; any other text: hwloc's synthetic description, such as
  ///                "numa:4 core:2 pu:1" (also after "synthetic:").
  /// \returns kNotFound, kNotPermitted or kInvalidArgument if the file or the text is not one; kSystem if hwloc fails.
  static Result<Topology> load(std::string_view source) noexcept;

  Topology(Topology&& other) noexcept;
  Topology& operator=(Topology&& other) noexcept;
  ~Topology();

  [[nodiscard]] const std::string& source() const noexcept { return source_; }
  /// Whether it is the machine that runs us: binding to its CPUs means something.
  [[nodiscard]] bool is_this_system() const noexcept { return is_this_system_; }

  /// Whether bandwidths and latencies were measured (measured_xml.hpp), not told by the firmware.
  [[nodiscard]] bool is_measured() const noexcept { return is_measured_; }

  /// By id. At least one; a machine without NUMA has node 0.
  [[nodiscard]] std::span<const TopologyNode> nodes() const noexcept { return nodes_; }
  /// nullptr if there is no such node.
  [[nodiscard]] const TopologyNode* node(NodeId id) const noexcept;
  /// The nodes that have memory (all, where the source gives no sizes) and are allowed.
  [[nodiscard]] const NodeSet& usable_nodes() const noexcept { return usable_nodes_; }
  /// The nodes whose own CPUs are among these.
  [[nodiscard]] NodeSet nodes_of(const CpuSet& cpus) const noexcept;

  [[nodiscard]] const CpuSet& online_cpus() const noexcept { return online_cpus_; }
  /// Online, and allowed by the cgroup's cpuset. The affinity of the calling thread does not count.
  [[nodiscard]] const CpuSet& allowed_cpus() const noexcept { return allowed_cpus_; }
  /// Known to the kernel but not online.
  [[nodiscard]] const CpuSet& offline_cpus() const noexcept { return offline_cpus_; }

  /// SLIT distance, 10 for a node itself; nothing if the source does not say or a node does not exist.
  [[nodiscard]] std::optional<unsigned> distance(NodeId from, NodeId to) const noexcept;
  /// The usable nodes but `from`, nearest first; of equally near ones, and where distances are not known, by id.
  [[nodiscard]] std::vector<NodeId> nearest(NodeId from) const noexcept;

  /// What the machine or the source does not have, or this process may not use: sentences.
  [[nodiscard]] const std::vector<std::string>& missing() const noexcept { return missing_; }

  /// The CPUs of locations as hwloc-calc(1) takes them, separated by blanks and combined: `TYPE:INDEX[.TYPE:INDEX...]`
  /// with TYPE machine, package, numa, l3, core, pu, ..., also `numa[hbm]`, and INDEX `N`, `N-M`, `N-`, `N:COUNT`
  /// (wraps around), `all`, `odd` or `even`; `all` or `root`; a mask `0x...`; after `~` taken out, after `x`
  /// intersected, after `^` exchanged. CPUs that are not allowed stay in. Unlike hwloc-calc, an object that does not
  /// exist is an error, and "numa:K" is the node's own CPUs (none for memory only), not those near to it.
  /// \param problem  set to a sentence, with what is accepted, if nothing is returned.
  [[nodiscard]] std::optional<CpuSet> locate(std::string_view locations,
                                             std::string& problem) const noexcept;

 private:
  class Reader;
  struct HwlocTopology;
  friend Status write_measured_xml(const Measurement& measured, const std::string& path) noexcept;

  Topology();

  std::string source_;
  bool is_this_system_ = false;
  bool is_measured_ = false;
  std::vector<TopologyNode> nodes_;
  NodeSet usable_nodes_;
  CpuSet online_cpus_;
  CpuSet allowed_cpus_;
  CpuSet offline_cpus_;
  std::vector<unsigned> distances_;  // row by row over nodes_; empty if not known
  std::vector<std::string> missing_;
  std::unique_ptr<HwlocTopology> hwloc_;
};

/// A list as the kernel prints it, "0-3,8"; "none" if it is empty.
NH_API std::string to_list(const CpuSet& cpus) noexcept;
NH_API std::string to_list(const NodeSet& nodes) noexcept;

}  // namespace numaheap::numa

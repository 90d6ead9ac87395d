/// \file
/// LocationReader: finds the CPUs of a location in hwloc's syntax (hwloc(7), "Location Specification"). hwloc keeps its
/// own reader inside its command-line tools; ours says what is wrong and what there is.

#pragma once

#include <hwloc.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "numaheap/numa/topology.hpp"

namespace numaheap::numa {

class LocationReader {
 public:
  LocationReader(const Topology& topology, hwloc_topology_t handle, std::string& problem) noexcept
      : topology_(topology), handle_(handle), problem_(problem) {}

  /// See Topology::locate().
  std::optional<CpuSet> read(std::string_view locations);

 private:
  /// What an object covers, and where the objects of the next step of a chain are looked for.
  struct Scope {
    std::string name;  ///< "numa:0"; empty for the machine.
    CpuSet cpus;
    NodeSet nodes;
  };
  /// The types of objects that TYPE means: a depth of the tree, and for nodes the kind of memory.
  struct ObjectType {
    std::string name;  ///< As written.
    int depth = 0;
    std::string kind;
  };

  std::optional<CpuSet> read_one(std::string_view location);
  std::optional<CpuSet> read_mask(std::string_view mask);
  std::optional<CpuSet> read_chain(std::string_view chain, const Scope& scope);
  bool read_type(std::string_view text, ObjectType& type);
  /// Keeps of `objects` those that INDEX names.
  bool select(std::string_view index, const ObjectType& type, const Scope& scope,
              std::vector<Scope>& objects);
  [[nodiscard]] std::vector<Scope> objects_in(const Scope& scope, const ObjectType& type) const;
  [[nodiscard]] std::string type_names() const;
  std::nullopt_t fail(std::string problem);

  const Topology& topology_;
  hwloc_topology_t handle_;
  std::string& problem_;
};

}  // namespace numaheap::numa

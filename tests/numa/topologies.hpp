/// \file
/// Topologies for tests: from hwloc's synthetic texts and from the files in data/.

#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "numaheap/numa/topology.hpp"

namespace numaheap::tests {

inline const std::string kData = NUMAHEAP_TEST_DATA;

inline numa::Topology load(const std::string& source) {
  Result<numa::Topology> topology = numa::Topology::load(source);
  if (!topology) {
    ADD_FAILURE() << source << ": " << topology.error().text;
    std::abort();
  }
  return std::move(*topology);
}

inline numa::Topology load_file(const std::string& name) {
  return load("xml:" + kData + '/' + name);
}

/// The CPUs there, or why there are none.
inline std::string locate(const numa::Topology& topology, const std::string& location) {
  std::string problem;
  const std::optional<numa::CpuSet> cpus = topology.locate(location, problem);
  return cpus ? to_list(*cpus) : "problem: " + problem;
}

}  // namespace numaheap::tests

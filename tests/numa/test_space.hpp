/// \file
/// What the tests of AddressSpace share: the ranges of a small heap, and what the kernel says of this process.

#pragma once

#include <cstdlib>
#include <fstream>
#include <string>

#include "numaheap/numa/address_space.hpp"

namespace numaheap::numa {

inline constexpr size_t kPage = 4096;

/// Ranges for node 0, interleaved and weighted, as a heap on the smallest machine has them.
struct Specs {
  RangeSpec at[3];
  Specs() {
    at[0].node = NodeId{0};
    at[1].placing = Placing::kInterleaved;
    at[1].nodes.insert(NodeId{0});
    at[2].placing = Placing::kWeighted;
    at[2].nodes.insert(NodeId{0});
  }
};

struct TestSpace : AddressSpace {
  ~TestSpace() { release(); }
  Status reserve(const AddressSpaceOptions& options = {}) {
    const Specs specs;
    return AddressSpace::reserve(specs.at, 3, 1, options);
  }
};

inline AddressSpaceOptions small_options() {
  AddressSpaceOptions options;
  options.span = MiB(256);
  return options;
}

inline char* bytes_at(uintptr_t address) { return reinterpret_cast<char*>(address); }

/// The value of "Name:" in a file of the kernel, in kilobytes.
inline long kilobytes_of(const char* file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(name, 0) == 0) return std::atol(line.c_str() + name.size());
  }
  return -1;
}

/// Resident kilobytes of the process.
inline long resident() { return kilobytes_of("/proc/self/status", "VmRSS:"); }

}  // namespace numaheap::numa

/// \file
/// BoundMemory: memory that lies on one node, all of it touched, and the kernel asked whether it does.

#pragma once

#include <cstddef>
#include <string>

#include "numaheap/base/bytes.hpp"
#include "numaheap/base/node_id.hpp"

namespace numaheap::numa {

class BoundMemory {
 public:
  /// \param problem  set to a sentence if the memory is empty, or if it lies on the node but the kernel would not say
  ///                 so; else left empty.
  static BoundMemory on(NodeId node, Bytes bytes, std::string& problem) noexcept;
  BoundMemory() noexcept = default;
  BoundMemory(BoundMemory&& other) noexcept;
  BoundMemory& operator=(BoundMemory&& other) noexcept;
  ~BoundMemory();

  [[nodiscard]] char* data() const noexcept { return start_; }
  [[nodiscard]] size_t size() const noexcept { return bytes_; }

 private:
  char* start_ = nullptr;
  size_t bytes_ = 0;  // from start_; whole huge pages
  void* mapping_ = nullptr;
  size_t mapped_ = 0;
};

/// How much of a node's memory is free; 0 if the kernel does not say.
Bytes free_memory(NodeId node) noexcept;

}  // namespace numaheap::numa

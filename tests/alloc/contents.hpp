/// \file
/// What is in a block.

#pragma once

#include <cstddef>

namespace numaheap::tests {

/// Whether every byte is this one.
inline bool holds(const void* block, size_t bytes, unsigned char value) {
  const auto* p = static_cast<const unsigned char*>(block);
  for (size_t i = 0; i < bytes; ++i) {
    if (p[i] != value) return false;
  }
  return true;
}

}  // namespace numaheap::tests

/// \file
/// The heap's figures by value, for tests that compare them before and after.

#pragma once

#include "numaheap/statistics.hpp"

namespace numaheap::tests {

inline Statistics statistics() {
  Statistics now;
  read_statistics(now);
  return now;
}

inline Bytes live() { return statistics().live; }

}  // namespace numaheap::tests

/// \file
/// Figure: a metric's samples of a snapshot added up, in base units (quantity.hpp), or why there is none.

#pragma once

#include <span>
#include <string_view>

#include "numaheap/stats/registry.hpp"

namespace numaheap::stats {

struct Figure {
  double value = 0;
  Unit unit = Unit::kCount;
  const char* missing = nullptr;  ///< The metric, if it is not there ...
  const char* because = nullptr;  ///< ... and why.
};

/// Over the samples that have all of `labels`. Of a snapshot that samples were left out of, there is none: the sum might
/// not be whole.
Figure sum_of(const Snapshot& snapshot, const char* metric,
              std::span<const LabelMatch> labels = {}) noexcept;

}  // namespace numaheap::stats

/// \file
/// What each of the doctor's rules looks at. Whether what it finds is too much, the Doctor decides.

#pragma once

#include <optional>

#include "numaheap/stats/doctor.hpp"

namespace numaheap::stats {

/// All that the rules may look at.
struct Evidence {
  const Snapshot& snapshot;
  const KernelFacts& facts;
  Doctor::Totals recent;  ///< How far the counters went since the Doctor looked back.
};

struct Measured {
  double value = 0;
  std::optional<double> amount;
  NodeId node = kNoNode;
  std::optional<Severity> severity;  ///< Where it is another than the rule's.
  const char* missing = nullptr;     ///< This figure is not there ...
  const char* because = nullptr;     ///< ... for this reason; then nothing above is set.
};

Measured measure(Rule rule, const Evidence& evidence) noexcept;

/// The counters that rules look at the growth of; one without a sample counts as 0.
Doctor::Totals totals_of(const Snapshot& snapshot) noexcept;

}  // namespace numaheap::stats

/// \file
/// The metric kAlertFiring. A snapshot's labels point to texts that must never go away: so a name, once shown, keeps its
/// place for good, and an alert of that name that comes later gets the same one.

#pragma once

#include "numaheap/stats/alert.hpp"

namespace numaheap::stats {

/// \returns as Alerts::export_metric().
Status claim_exported(std::span<const AlertStatus> alerts) noexcept;
/// Shows whether each fires.
/// \pre they were claimed.
void show_exported(std::span<const AlertStatus> alerts) noexcept;
void release_exported(std::span<const AlertStatus> alerts) noexcept;

}  // namespace numaheap::stats

/// \file
/// Events of the CPU by the names that its vendor gives them, through libpfm4.
///
/// Threads: any. It allocates; the first call looks the CPU up.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "numaheap/base/api.h"
#include "numaheap/stats/perf_kernel.hpp"

namespace numaheap::stats {

/// The event as libpfm4 writes it, such as "MEM_LOAD_L3_MISS_RETIRED:LOCAL_DRAM" or "skx::...". Its name is `name`.
/// \param problem  set to a sentence if nothing is returned.
NH_API std::optional<PerfEvent> find_event(std::string_view name, std::string& problem) noexcept;

/// Two events, "local_dram" and "remote_dram": what this CPU can count of the loads (Intel, demand only) or cache fills
/// (AMD, with prefetches) that DRAM of the own and of another node served. Without libpfm4's knowledge of the CPU they
/// carry the reason in PerfEvent::problem. A ratio to look at, not a bandwidth: writes are not in it.
NH_API std::vector<PerfEvent> dram_events() noexcept;

}  // namespace numaheap::stats

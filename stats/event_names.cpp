#include "numaheap/stats/event_names.hpp"

#include <linux/perf_event.h>
#include <perfmon/pfmlib_perf_event.h>

#include <iterator>

namespace numaheap::stats {

namespace {

bool is_ready() noexcept {
  static const bool ready = pfm_initialize() == PFM_SUCCESS;
  return ready;
}

struct DramNames {
  const char* local;
  const char* remote;
};

// From the newest names to the oldest; a CPU knows at most one pair.
constexpr DramNames kDramNames[] = {
    {"MEM_LOAD_L3_MISS_RETIRED:LOCAL_DRAM", "MEM_LOAD_L3_MISS_RETIRED:REMOTE_DRAM"},
    {"MEM_LOAD_UOPS_L3_MISS_RETIRED:LOCAL_DRAM", "MEM_LOAD_UOPS_L3_MISS_RETIRED:REMOTE_DRAM"},
    {"MEM_LOAD_UOPS_LLC_MISS_RETIRED:LOCAL_DRAM", "MEM_LOAD_UOPS_LLC_MISS_RETIRED:REMOTE_DRAM"},
    {"ANY_DATA_CACHE_FILLS_FROM_SYSTEM:DRAM_IO_NEAR",
     "ANY_DATA_CACHE_FILLS_FROM_SYSTEM:DRAM_IO_FAR"},
    {"ANY_DATA_CACHE_FILLS_FROM_SYSTEM:MEM_IO_LCL", "ANY_DATA_CACHE_FILLS_FROM_SYSTEM:MEM_IO_RMT"},
    {"DATA_CACHE_REFILLS_FROM_SYSTEM:LS_MABRESP_LCL_DRAM",
     "DATA_CACHE_REFILLS_FROM_SYSTEM:LS_MABRESP_RMT_DRAM"},
};

}  // namespace

std::optional<PerfEvent> find_event(std::string_view name, std::string& problem) noexcept {
  if (!is_ready()) {
    problem = "libpfm4 does not know this CPU";
    return std::nullopt;
  }
  perf_event_attr attributes{};
  pfm_perf_encode_arg_t encoded{};
  encoded.attr = &attributes;
  encoded.size = sizeof encoded;
  std::string text(name);
  const int status =
      pfm_get_os_event_encoding(text.c_str(), PFM_PLM0 | PFM_PLM3, PFM_OS_PERF_EVENT_EXT, &encoded);
  if (status != PFM_SUCCESS) {
    problem = "libpfm4 knows no event \"" + text + "\" of this CPU: " + pfm_strerror(status);
    return std::nullopt;
  }
  return PerfEvent{std::move(text), attributes.type, attributes.config, attributes.config1,
                   attributes.config2};
}

std::vector<PerfEvent> dram_events() noexcept {
  std::string problem;
  for (const DramNames& names : kDramNames) {
    auto local = find_event(names.local, problem);
    auto remote = find_event(names.remote, problem);
    if (!local || !remote) continue;
    local->name = "local_dram";
    remote->name = "remote_dram";
    return {*std::move(local), *std::move(remote)};
  }
  problem = "libpfm4 knows no events of this CPU that tell local from remote DRAM";
  return {{.name = "local_dram", .problem = problem}, {.name = "remote_dram", .problem = problem}};
}

}  // namespace numaheap::stats

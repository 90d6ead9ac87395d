/// \file
/// Range maps as JSON for the heap map page:
///
///     {"age_ms":420,"ranges":[{"name":"node 0","start":"0x7f0000000000","cell_bytes":4096,"opened":67108864,
///      "grown":1048576,"used":[255,64,...],"free_slots":[...],"dirty":[...],"clean":[...],"block_bytes":[...]}]}
///
/// The arrays have an entry for each cell below `grown`; what lies above was never used. A share is in 255ths of a cell,
/// and at least 1 where there is any; what the four leave is the arena's own. block_bytes is in bytes.

#pragma once

#include <string>
#include <vector>

#include "numaheap/stats/process_view.hpp"

namespace numaheap::cli {

[[nodiscard]] std::string render_maps(const std::vector<stats::ForeignMap>& maps);

}  // namespace numaheap::cli

/// \file
/// The heap map page: heap_map.html, compiled in.

#pragma once

namespace numaheap::cli {

extern const char kHeapMapPage[];

}  // namespace numaheap::cli

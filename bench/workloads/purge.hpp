/// \file
/// Asks whatever allocator the process runs on to give its unused memory back to the kernel.

#pragma once

namespace numaheap::bench {

/// Calls every entry point that is there: malloc_trim, jemalloc's mallctl, tcmalloc's MallocExtension, mi_collect.
void give_back_unused_memory();

}  // namespace numaheap::bench

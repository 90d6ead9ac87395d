/// \file
/// What the tests of the heap on several nodes share: the condition that the process runs under, and blocks whose pages
/// are looked at. NUMAHEAP_TEST_CONDITION makes it harder:
///   refuse_mbind       the process starts under a filter that refuses mbind(2), as a container's does
///   strict_overcommit  vm.overcommit_memory is 2 (in the virtual machines only)
///   locked_memory      the process has called mlockall(2) for what it has and will have

#pragma once

#include <cstddef>
#include <vector>

#include "numa/on_nodes.hpp"
#include "numaheap/alloc.hpp"

namespace numaheap::tests {

inline constexpr size_t kPage = 4096;

/// Whether NUMAHEAP_TEST_CONDITION is this.
bool condition_is(const char* name);

// Set before the heap's first allocation.
extern const bool
    memory_stays;  ///< Nothing is given back by time: what a purge does is seen on a slow machine, too.
extern const bool mbind_is_refused;
extern const bool overcommit_is_strict;
extern const bool memory_is_locked;

/// Nodes that the heap can place memory on: those with memory, but without mbind only where a thread can run.
std::vector<NodeId> placeable_nodes();

struct Block {
  char* start;
  size_t size;
};

/// Blocks of all tiers: small, of some pages, large, and beyond what caches hold. Some 20 MiB.
std::vector<size_t> mixed_sizes();

/// Writes to all of the block, so that each of its pages exists.
Block filled(void* start, size_t size);

/// Every block belongs to the node, and each of their pages is there.
void expect_all_on(NodeId node, const std::vector<Block>& blocks);

/// How many pages of the blocks there are.
size_t resident_pages(const std::vector<Block>& blocks);

void free_all(std::vector<Block>& blocks);

}  // namespace numaheap::tests

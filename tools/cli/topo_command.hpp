/// \file
/// `numaheap topo`: the machine's nodes, CPUs, memory, distances and the firmware's figures, and what is missing.

#pragma once

#include <string>

namespace numaheap::cli {

/// Prints the topology of `source`. \returns the exit status.
int print_topology(const std::string& source, bool as_json);

}  // namespace numaheap::cli

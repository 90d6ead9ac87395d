/// \file
/// MemoryDomains: which nodes' memory stands behind a socket and behind a last cache, as sysfs tells.

#pragma once

#include <optional>
#include <string>

#include "numaheap/base/node_id.hpp"
#include "numaheap/numa/cpu_set.hpp"

namespace numaheap::numa {

class MemoryDomains {
 public:
  /// \param root  "" for this machine.
  explicit MemoryDomains(const std::string& root) noexcept;

  /// The nodes that have memory; {0} on a machine without NUMA.
  [[nodiscard]] const NodeSet& with_memory() const noexcept { return with_memory_; }
  /// Of these, the ones with CPUs in the socket of `cpu`; none if sysfs does not tell.
  [[nodiscard]] NodeSet of_socket(unsigned cpu) const noexcept;
  /// Of these, the ones with CPUs behind the last cache that the kernel numbers so.
  [[nodiscard]] NodeSet of_last_cache(unsigned id) const noexcept;

 private:
  template <class Matches>
  [[nodiscard]] NodeSet nodes_with_cpu(Matches matches) const noexcept;

  std::string cpu_directory_;
  std::string node_directory_;
  NodeSet with_memory_;
};

/// The first number in a file; nothing if there is none.
std::optional<unsigned> number_in_file(const std::string& path) noexcept;

}  // namespace numaheap::numa

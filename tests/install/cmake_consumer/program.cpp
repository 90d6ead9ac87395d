// A C++ program as a user would write it, against an installed numaheap.

#include <cstdio>
#include <memory_resource>
#include <numaheap/alloc.hpp>
#include <numaheap/allocator.hpp>
#include <numaheap/limits.hpp>
#include <numaheap/memory_resource.hpp>
#include <numaheap/statistics.hpp>
#include <string>
#include <vector>

int main() {
  struct Row {
    long columns[6];
  };
  void* row = numaheap::allocate(
      sizeof(Row));  // a known size: inlined, so the layout must be the library's
  if (row == nullptr || numaheap::usable_size(row) < sizeof(Row)) return 1;
  numaheap::deallocate(row, sizeof(Row));

  const numaheap::NodeId here = numaheap::thread_node();
  std::vector<Row, numaheap::Allocator<Row>> rows(1000, numaheap::Placement::node(here));
  if (numaheap::home_node(rows.data()) != here) return 1;

  numaheap::MemoryResource interleaved(numaheap::Placement::interleaved());
  const std::pmr::string text(10000, 'x', &interleaved);
  if (!numaheap::owns(text.data())) return 1;

  const numaheap::Status refused = numaheap::set_limit(
      numaheap::LimitKind::kLive, {.soft = numaheap::GiB(2), .hard = numaheap::GiB(1)});
  if (refused.has_value()) return 1;

  numaheap::Statistics statistics;
  numaheap::read_statistics(statistics);
  if (statistics.live.value < rows.size() * sizeof(Row)) return 1;
  std::printf("%zu bytes live\n", statistics.live.value);
  return 0;
}

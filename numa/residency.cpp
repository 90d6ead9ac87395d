#include "numaheap/numa/residency.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "kernel_file.hpp"
#include "numaheap/numa/own_traffic.hpp"
#include "system_error.hpp"

namespace numaheap::numa {

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kBatch = 512;         // a huge page; 10 KiB of stack in all
constexpr int kMoveOwnPages = 1 << 1;  // MPOL_MF_MOVE

/// \param targets  nullptr to ask only.
/// \returns 0, or an errno that concerns the whole call.
int move_pages(size_t count, const void* const* pages, const int* targets, int* status) noexcept {
  const long result = syscall(SYS_move_pages, 0, count, pages, targets, status, kMoveOwnPages);
  return result < 0 ? errno : 0;  // positive: so many pages could not be moved, `status` says which
}

Error refusal(int refused) noexcept {
  return system_error(refused, "the kernel refuses move_pages");
}

Error migration_refusal(int refused) noexcept {
  switch (refused) {
    case ENODEV:
      return system_error(refused, "there is no such node with memory");
    case EACCES:
      return system_error(refused, "the process may not use the node");
    default:
      return refusal(refused);
  }
}

/// One batch: asks, moves what is elsewhere, and asks again, since the kernel's answers to a move do not tell a huge
/// page that moved with its first small one from a page that stayed.
/// \param full  set when the node has no room left; from then on nothing is tried.
/// \returns 0 or an errno that concerns the whole call.
int migrate_batch(uintptr_t start, size_t count, int target, bool& full,
                  Migration& migration) noexcept {
  const void* pages[kBatch];
  int status[kBatch];
  for (size_t i = 0; i < count; ++i) pages[i] = reinterpret_cast<const void*>(start + i * kPage);
  if (const int refused = move_pages(count, pages, nullptr, status); refused != 0) return refused;
  size_t elsewhere = 0;
  int sources[kBatch];
  for (size_t i = 0; i < count; ++i) {
    if (status[i] == target) {
      migration.there_before += Bytes{kPage};
    } else if (status[i] >= 0) {
      sources[elsewhere] = status[i];
      pages[elsewhere++] = pages[i];
    } else {
      migration.absent += Bytes{kPage};
    }
  }
  size_t moved = 0;
  if (elsewhere != 0 && !full) {
    int targets[kBatch];
    std::fill_n(targets, elsewhere, target);
    int refused = move_pages(elsewhere, pages, targets, status);
    full = refused == ENOMEM;
    if (refused != 0 && !full) return refused;
    refused = move_pages(elsewhere, pages, nullptr, status);
    if (refused != 0) return refused;
    for (size_t i = 0; i < elsewhere; ++i) {
      if (status[i] != target) continue;
      ++moved;
      count_own_traffic(NodeId{static_cast<unsigned>(sources[i])}, Bytes{kPage});
    }
    count_own_traffic(NodeId{static_cast<unsigned>(target)}, Bytes{moved * kPage});
  }
  migration.moved += Bytes{moved * kPage};
  migration.left_behind += Bytes{(elsewhere - moved) * kPage};
  return 0;
}

}  // namespace

Result<NodeId> resident_node(const void* address) noexcept {
  const KeepErrno keep_errno;
  const void* page =
      reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(address) & ~(kPage - 1));
  int status = 0;
  if (const int refused = move_pages(1, &page, nullptr, &status); refused != 0)
    return refusal(refused);
  if (status < 0) return Error{ErrorCode::kNotFound, -status, "there is no page at the address"};
  return NodeId{static_cast<unsigned>(status)};
}

Status resident_nodes(std::span<const void* const> addresses, std::span<NodeId> nodes) noexcept {
  NH_ASSERT(nodes.size() >= addresses.size());
  const KeepErrno keep_errno;
  for (size_t done = 0; done < addresses.size();) {
    const size_t count = std::min(kBatch, addresses.size() - done);
    int status[kBatch];
    if (const int refused = move_pages(count, &addresses[done], nullptr, status); refused != 0) {
      return refusal(refused);
    }
    for (size_t i = 0; i < count; ++i) {
      nodes[done + i] = status[i] < 0 ? kNoNode : NodeId{static_cast<unsigned>(status[i])};
    }
    done += count;
  }
  return Unit{};
}

Result<Migration> migrate(const void* start, Bytes bytes, NodeId node) noexcept {
  const KeepErrno keep_errno;
  if (node.value >= kMaxNodes) return migration_refusal(ENODEV);
  Migration migration;
  bool full = false;
  const auto first = reinterpret_cast<uintptr_t>(start);
  const size_t pages = (bytes.value + kPage - 1) / kPage;
  for (size_t done = 0; done < pages; done += kBatch) {
    const int refused = migrate_batch(first + done * kPage, std::min(kBatch, pages - done),
                                      static_cast<int>(node.value), full, migration);
    if (refused != 0) return migration_refusal(refused);
  }
  return migration;
}

}  // namespace numaheap::numa

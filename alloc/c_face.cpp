#include <cerrno>
#include <optional>
#include <span>

#include "c_callback.hpp"
#include "c_status.hpp"
#include "numaheap.h"
#include "numaheap/alloc.hpp"
#include "numaheap/limits.hpp"
#include "numaheap/report.hpp"
#include "numaheap/statistics.hpp"

namespace numaheap {
namespace {

static_assert(kNoNode.value == NH_NO_NODE);
static_assert(int{NH_LIMIT_LIVE} == static_cast<int>(LimitKind::kLive) &&
              int{NH_LIMIT_RESIDENT} == static_cast<int>(LimitKind::kResident) &&
              int{NH_LIMIT_CGROUP} == static_cast<int>(LimitKind::kCgroup));
static_assert(int{NH_REPORT_PLACEMENT} == static_cast<int>(ReportKind::kPlacement) &&
              int{NH_REPORT_SETTING} == static_cast<int>(ReportKind::kSetting) &&
              int{NH_REPORT_MISUSE} == static_cast<int>(ReportKind::kMisuse) &&
              int{NH_REPORT_LIMIT} == static_cast<int>(ReportKind::kLimit) &&
              int{NH_REPORT_OUT_OF_MEMORY} == static_cast<int>(ReportKind::kOutOfMemory));

constinit CCallback<void(const nh_report*, void*)> report_callback;
constinit CCallback<void(const nh_limit_event*, void*)> limit_callback;
constinit CCallback<int(size_t, void*)> reclaim_hook;

void call_report_callback(const Report& report, void*) noexcept {
  const auto [function, context] = report_callback.get();
  if (function == nullptr) return;
  const nh_report converted{static_cast<nh_report_kind>(report.kind), report.text, report.address,
                            report.system_errno};
  function(&converted, context);
}

void call_limit_callback(const LimitEvent& event, void*) noexcept {
  const auto [function, context] = limit_callback.get();
  if (function == nullptr) return;
  const nh_limit_event converted{static_cast<nh_limit_kind>(event.kind), event.node.value,
                                 event.hard, event.value.value, event.limit.value};
  function(&converted, context);
}

bool call_reclaim_hook(size_t wanted, void*) noexcept {
  const auto [function, context] = reclaim_hook.get();
  return function != nullptr && function(wanted, context) != 0;
}

bool is_limit_kind(nh_limit_kind kind) noexcept {
  return kind == NH_LIMIT_LIVE || kind == NH_LIMIT_RESIDENT || kind == NH_LIMIT_CGROUP;
}

/// \returns nothing for a kind that is none.
std::optional<Placement> placement_of(nh_placement placement) noexcept {
  switch (placement.kind) {
    case NH_LOCAL:
      return Placement::local();
    case NH_NODE:
      return Placement::node(NodeId{placement.node});
    case NH_INTERLEAVED:
      return Placement::interleaved();
    case NH_WEIGHTED:
      return Placement::weighted();
  }
  return std::nullopt;
}

void* allocate_placed(nh_placement placement, size_t alignment, size_t bytes) noexcept {
  const std::optional<Placement> where = placement_of(placement);
  if (where) return allocate_on(*where, bytes, alignment);
  errno = EINVAL;
  return nullptr;
}

void* allocate_array(size_t count, size_t bytes) noexcept {
  size_t total = 0;
  if (__builtin_mul_overflow(count, bytes, &total)) {
    errno = ENOMEM;
    return nullptr;
  }
  return allocate_zeroed(total);
}

size_t purge_result(PurgeResult result, size_t* left_bytes) noexcept {
  if (left_bytes != nullptr) *left_bytes = result.left.value;
  return result.purged.value;
}

void store(Limit limit, size_t* soft_bytes, size_t* hard_bytes) noexcept {
  if (soft_bytes != nullptr) *soft_bytes = limit.soft.value;
  if (hard_bytes != nullptr) *hard_bytes = limit.hard.value;
}

}  // namespace
}  // namespace numaheap

using namespace numaheap;

#define NH_STRING_(x) #x
#define NH_STRING(x) NH_STRING_(x)

extern "C" {

const char* nh_status_text(nh_status status) noexcept {
  switch (status) {
    case NH_OK:
      return "success";
    case NH_INVALID_ARGUMENT:
      return "an argument is not accepted";
    case NH_NO_MEMORY:
      return "the kernel or a limit refused memory";
    case NH_NOT_PERMITTED:
      return "the kernel refused for lack of a right";
    case NH_NOT_SUPPORTED:
      return "not supported by this machine, kernel or build";
    case NH_NOT_FOUND:
      return "there is no such node, file or block";
    case NH_SYSTEM:
      return "a system call failed, see errno";
  }
  return "not a status of numaheap";
}

const char* nh_version_string(void) noexcept {
  return NH_STRING(NH_VERSION_MAJOR) "." NH_STRING(NH_VERSION_MINOR) "." NH_STRING(
      NH_VERSION_PATCH);
}

nh_status nh_check_abi(unsigned header_abi) noexcept {
  return header_abi == NH_ABI_VERSION ? NH_OK : NH_NOT_SUPPORTED;
}

void* nh_malloc(size_t bytes) noexcept { return allocate(bytes); }
void* nh_calloc(size_t count, size_t bytes) noexcept { return allocate_array(count, bytes); }
void* nh_zalloc(size_t bytes) noexcept { return allocate_zeroed(bytes); }
void* nh_aligned_alloc(size_t alignment, size_t bytes) noexcept {
  return allocate_aligned(alignment, bytes);
}
void* nh_malloc_onnode(size_t bytes, unsigned node) noexcept {
  return allocate_on(Placement::node(NodeId{node}), bytes);
}
void* nh_malloc_interleaved(size_t bytes) noexcept {
  return allocate_on(Placement::interleaved(), bytes);
}
void* nh_malloc_weighted(size_t bytes) noexcept {
  return allocate_on(Placement::weighted(), bytes);
}
void* nh_aligned_alloc_on(nh_placement placement, size_t alignment, size_t bytes) noexcept {
  return allocate_placed(placement, alignment, bytes);
}
size_t nh_malloc_batch(size_t bytes, void** blocks, size_t count) noexcept {
  return allocate_batch(bytes, std::span(blocks, count));
}

void* nh_try_malloc(size_t bytes) noexcept {
  WithoutReclaim guard;
  return allocate(bytes);
}
void* nh_try_calloc(size_t count, size_t bytes) noexcept {
  WithoutReclaim guard;
  return allocate_array(count, bytes);
}
void* nh_try_zalloc(size_t bytes) noexcept {
  WithoutReclaim guard;
  return allocate_zeroed(bytes);
}
void* nh_try_aligned_alloc(size_t alignment, size_t bytes) noexcept {
  WithoutReclaim guard;
  return allocate_aligned(alignment, bytes);
}
void* nh_try_malloc_onnode(size_t bytes, unsigned node) noexcept {
  WithoutReclaim guard;
  return nh_malloc_onnode(bytes, node);
}
void* nh_try_malloc_interleaved(size_t bytes) noexcept {
  WithoutReclaim guard;
  return nh_malloc_interleaved(bytes);
}
void* nh_try_malloc_weighted(size_t bytes) noexcept {
  WithoutReclaim guard;
  return nh_malloc_weighted(bytes);
}
void* nh_try_aligned_alloc_on(nh_placement placement, size_t alignment, size_t bytes) noexcept {
  WithoutReclaim guard;
  return allocate_placed(placement, alignment, bytes);
}
void* nh_try_realloc(void* block, size_t bytes) noexcept {
  WithoutReclaim guard;
  return reallocate(block, bytes);
}
size_t nh_try_malloc_batch(size_t bytes, void** blocks, size_t count) noexcept {
  WithoutReclaim guard;
  return nh_malloc_batch(bytes, blocks, count);
}

void* nh_realloc(void* block, size_t bytes) noexcept { return reallocate(block, bytes); }
int nh_expand_in_place(void* block, size_t bytes) noexcept { return expand_in_place(block, bytes); }

void nh_free(void* block) noexcept { deallocate(block); }
void nh_free_sized(void* block, size_t bytes) noexcept { deallocate(block, bytes, 1); }
void nh_free_aligned_sized(void* block, size_t alignment, size_t bytes) noexcept {
  deallocate(block, bytes, alignment);
}
void nh_free_batch(void* const* blocks, size_t count) noexcept {
  deallocate_batch(std::span(blocks, count));
}

size_t nh_malloc_usable_size(const void* block) noexcept { return usable_size(block); }
int nh_owns(const void* address) noexcept { return owns(address); }
unsigned nh_home_node(const void* address) noexcept { return home_node(address).value; }
nh_status nh_resident_node(const void* address, unsigned* node) noexcept {
  const Result<NodeId> result = resident_node(address);
  if (result) *node = result->value;
  return status_of(result);
}
unsigned nh_thread_node(void) noexcept { return thread_node().value; }
nh_status nh_set_thread_home(nh_placement placement) noexcept {
  const std::optional<Placement> home = placement_of(placement);
  return home ? status_of(set_thread_home(*home)) : NH_INVALID_ARGUMENT;
}
size_t nh_used_memory(void) noexcept { return used_memory(); }

size_t nh_purge(size_t budget_bytes, size_t* left_bytes) noexcept {
  return purge_result(purge(Bytes{budget_bytes}), left_bytes);
}
size_t nh_purge_node(unsigned node, size_t budget_bytes, size_t* left_bytes) noexcept {
  return purge_result(purge(NodeId{node}, Bytes{budget_bytes}), left_bytes);
}
size_t nh_trim(void) noexcept { return trim().value; }
void nh_housekeep(void) noexcept { housekeep(); }
void nh_thread_idle(void) noexcept { thread_idle(); }

nh_status nh_set_limit(nh_limit_kind kind, size_t soft_bytes, size_t hard_bytes) noexcept {
  if (!is_limit_kind(kind)) return NH_INVALID_ARGUMENT;
  return status_of(set_limit(static_cast<LimitKind>(kind), {Bytes{soft_bytes}, Bytes{hard_bytes}}));
}
nh_status nh_set_node_limit(unsigned node, size_t soft_bytes, size_t hard_bytes) noexcept {
  return status_of(set_node_limit(NodeId{node}, {Bytes{soft_bytes}, Bytes{hard_bytes}}));
}
void nh_get_limit(nh_limit_kind kind, size_t* soft_bytes, size_t* hard_bytes) noexcept {
  store(is_limit_kind(kind) ? limit(static_cast<LimitKind>(kind)) : Limit{}, soft_bytes,
        hard_bytes);
}
void nh_get_node_limit(unsigned node, size_t* soft_bytes, size_t* hard_bytes) noexcept {
  store(node_limit(NodeId{node}), soft_bytes, hard_bytes);
}
int nh_over_soft_limit(void) noexcept { return over_soft_limit(); }

void nh_set_limit_callback(nh_limit_callback callback, void* context) noexcept {
  limit_callback.set(callback, context);
  set_limit_callback(callback != nullptr ? call_limit_callback : nullptr, nullptr);
}
void nh_set_reclaim_hook(nh_reclaim_hook hook, void* context) noexcept {
  reclaim_hook.set(hook, context);
  set_reclaim_hook(hook != nullptr ? call_reclaim_hook : nullptr, nullptr);
}
void nh_set_report_callback(nh_report_callback callback, void* context) noexcept {
  report_callback.set(callback, context);
  set_report_callback(callback != nullptr ? call_report_callback : nullptr, nullptr);
}

}  // extern "C"

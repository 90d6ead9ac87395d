/// \file
/// Limits: how much the heap may hold, for the process and per node.
///
/// Live bytes are watched where totals are published (within kPublishGrain per thread). Resident bytes and the cgroup
/// are sampled by the housekeeping tick. Crossing a soft limit raises a flag and calls back once per crossing; beyond
/// a hard limit a request that the thread's cache cannot serve is refused: first the reclaim hook runs, on the
/// thread that asks, never re-entered and with none of our locks held, and the request is tried again.
///
/// Threads: any. 0 means "no limit".

#pragma once

#include <cstddef>

#include "numaheap/base/api.h"
#include "numaheap/base/bytes.hpp"
#include "numaheap/base/node_id.hpp"
#include "numaheap/base/result.hpp"

namespace numaheap {

struct Limit {
  Bytes soft;
  Bytes hard;
};

enum class LimitKind {
  kLive,      ///< What was handed out and not freed.
  kResident,  ///< The process' resident set (VmRSS), sampled.
  kCgroup,    ///< The cgroup's memory.current, sampled; 0 takes nothing from memory.max by itself.
};

/// Sets a limit of the process. \returns kInvalidArgument if soft > hard > 0; kNotSupported if the figure cannot be
/// read here (no cgroup v2 memory controller).
NH_API Status set_limit(LimitKind kind, Limit limit) noexcept;
/// Sets a limit on a node's live bytes. \returns kNotFound if there is no such node.
NH_API Status set_node_limit(NodeId node, Limit limit) noexcept;
NH_API Limit limit(LimitKind kind) noexcept;
NH_API Limit node_limit(NodeId node) noexcept;

/// True while any soft limit is exceeded: for a host that evicts at its own safe points. One relaxed load.
NH_API bool over_soft_limit() noexcept;

struct LimitEvent {
  LimitKind kind;
  NodeId node;  ///< kNoNode for the process.
  bool hard;    ///< A request met the hard limit; otherwise a soft limit was crossed upwards.
  Bytes value;
  Bytes limit;
};
using LimitCallback = void (*)(const LimitEvent& event, void* context) noexcept;
/// Called on the thread whose request crossed the limit, once per crossing, with no lock held; it may allocate.
NH_API void set_limit_callback(LimitCallback callback, void* context) noexcept;

/// Asked to free about `wanted` bytes of what the hook itself owns.
/// \returns whether trying again is worth it.
using ReclaimHook = bool (*)(size_t wanted, void* context) noexcept;
NH_API void set_reclaim_hook(ReclaimHook hook, void* context) noexcept;

/// While one lives, allocations of its thread fail at once instead of calling the reclaim hook: for "try" variants.
class NH_API WithoutReclaim {
 public:
  WithoutReclaim() noexcept;
  ~WithoutReclaim();
  WithoutReclaim(const WithoutReclaim&) = delete;
  WithoutReclaim& operator=(const WithoutReclaim&) = delete;
};

}  // namespace numaheap

/// \file
/// What only the server knows of its memory (clients, replication, databases, scripts), so that INFO memory and MEMORY
/// STATS are whole:
///
///     void read(void* server, HostEmitter& out) noexcept {
///       out.set(HostFigure::kStartup, server->used_after_start);
///       out.set(HostFigure::kClientsNormal, server->bytes_of_clients);
///       out.database(0, main_table_bytes, expiry_table_bytes);
///     }
///     register_host_figures(read, &server);
///
/// They become metrics ("numaheap_host_startup_bytes", ...), so every rendering shows them, also in another process.
/// What is not given is left out there; nothing is made up.
///
/// used_memory_overhead is the sum of the figures marked "overhead" below, and shown once kStartup is given;
/// used_memory_dataset is used_memory without it, and at least 0. So give for these only what lies in this heap.

#pragma once

#include <cstdint>

#include "numaheap/base/api.h"
#include "numaheap/stats/metric.hpp"
#include "numaheap/stats/registry.hpp"

namespace numaheap::stats {

enum class HostFigure : uint8_t {
  kStartup,                ///< Overhead. used_memory when the server had started.
  kReplicationBacklog,     ///< Overhead. Bytes of the replication backlog.
  kReplicaFullSyncBuffer,  ///< Overhead. Bytes kept for replicas that synchronise.
  kClientsReplicas,     ///< Overhead. Buffers of replicas beyond the backlog (mem_clients_slaves).
  kClientsNormal,       ///< Overhead. Buffers of all other clients.
  kClusterLinks,        ///< Overhead.
  kAofBuffer,           ///< Overhead.
  kScriptCaches,        ///< Overhead. What scripts take beside their interpreter.
  kFunctionCaches,      ///< Overhead. The same of functions.
  kScriptVm,            ///< Overhead. The interpreter of scripts.
  kFunctionVm,          ///< Overhead. The interpreter of functions.
  kReplicationBuffers,  ///< All replication buffers together; part of the first ones above.
  kTableLookup,         ///< Part of the databases': the buckets of their tables.
  kTableRehashing,      ///< Part of the databases': tables that are being rehashed.
  kNotCountedForEvict,  ///< What maxmemory leaves out.
  kMaxMemory,           ///< The server's own limit; shown in place of the heap's hard limit.
  kRehashingTables,     ///< How many tables are being rehashed.
  kKeys,                ///< How many keys there are in all databases.
  kCachedScripts,       ///< How many.
  kFunctions,           ///< How many.
  kLibraries,           ///< How many libraries of functions.
  kClients,             ///< How many connections, those of replicas too.
  kReplicas,            ///< How many connections of replicas.
};
inline constexpr size_t kHostFigures = 23;

/// The name of its metric, for who reads a snapshot.
NH_API const char* metric_name(HostFigure figure) noexcept;

/// The tables of a database. Labels: db, table ("main", "expires"). Overhead.
inline constexpr char kHostDatabaseBytes[] = "numaheap_host_database_bytes";
/// Type kInfo; its label "policy" is the server's maxmemory_policy.
inline constexpr char kHostPolicy[] = "numaheap_host_maxmemory";

class HostEmitter {
 public:
  void set(HostFigure figure, int64_t value) noexcept;
  void database(uint64_t index, int64_t main_bytes, int64_t expires_bytes) noexcept;
  /// \param name  in static storage: "noeviction".
  void maxmemory_policy(const char* name) noexcept;

 private:
  friend struct HostReader;
  explicit HostEmitter(Emitter& out) : out_(out) {}
  Emitter& out_;
};

/// Called as Metric::read is: at any time, on any thread, without allocating; give each figure at most once.
using ReadHostFigures = void (*)(void* context, HostEmitter& out) noexcept;

/// \returns false if the process has registered its host's figures before; then nothing changes.
/// \pre `context` lives as long as the process.
NH_API bool register_host_figures(ReadHostFigures read, void* context) noexcept;

}  // namespace numaheap::stats

/** \file
 *  The heap's figures from C: INFO memory, MEMORY STATS and the other renderings of a snapshot, and what the server
 *  itself adds to them. numaheap/malloc_stats.h has MEMORY MALLOC-STATS.
 *
 *  Threads: any. Nothing here uses the heap: a snapshot's memory comes from the kernel and goes back at once. Units, names and
 *  meanings are those of the C++ headers numaheap/stats/info.hpp, memory_stats.hpp, openmetrics.hpp, json.hpp, table.hpp
 *  and host_figures.hpp; docs/metrics.md lists all.
 */
#ifndef NUMAHEAP_STATS_H
#define NUMAHEAP_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "numaheap.h"

NH_BEGIN_DECLS

/* ---- Renderings ---- */

typedef enum nh_rendering NH_ENUM_INT {
  NH_INFO_MEMORY,  /**< Redis' INFO memory, and ours by node. */
  NH_MEMORY_STATS, /**< MEMORY STATS as text, "key:value" a line. */
  NH_OPENMETRICS,  /**< OpenMetrics 1.0. */
  NH_PROMETHEUS,   /**< Prometheus' text format 0.0.4. */
  NH_STATS_JSON,
  NH_STATS_TABLE /**< For people. */
} nh_rendering;

typedef enum nh_detail NH_ENUM_INT {
  NH_SUMMARY,   /**< By process and by node. */
  NH_PER_CLASS, /**< By size class too. */
  NH_PER_THREAD /**< By thread too. */
} nh_detail;

/** Takes a snapshot and writes it as text, as snprintf(3) does: cut where there is no room, always ended by a zero byte.
 *  INFO memory and MEMORY STATS are the same at any detail.
 *  \returns  the length of all of the text. A second call takes another snapshot, whose text may be longer: give room
 *            to spare. 0 if the kernel has no memory, or an argument is not accepted. */
NH_API size_t nh_render_stats(nh_rendering rendering, nh_detail detail, char* buffer,
                              size_t size) NH_NOEXCEPT;

/** One key of MEMORY STATS. */
typedef struct nh_memory_stat {
  const char* key; /**< In static storage. */
  int64_t
      database; /**< Not -1: the key stands in the map "db.<database>"; those of one map stand together. */
  int is_whole; /**< Not 0: `number` is the value, an integer reply; otherwise `real` is, a double. */
  int64_t number;
  double real;
} nh_memory_stat;

/** Takes a snapshot and fills in the reply to MEMORY STATS.
 *  \param map_length  gets how many keys the outer map has: each "db.<N>" is one. May be NULL.
 *  \returns  how many keys there are; at most `count` of them are written, and map_length is about those. */
NH_API size_t nh_memory_stats(nh_memory_stat* stats, size_t count, size_t* map_length) NH_NOEXCEPT;

/* ---- What only the server knows ---- */

/** In the order of numaheap/stats/host_figures.hpp, which says what each is and which of them are overhead. */
typedef enum nh_host_figure NH_ENUM_INT {
  NH_HOST_STARTUP,
  NH_HOST_REPLICATION_BACKLOG,
  NH_HOST_REPLICA_FULL_SYNC_BUFFER,
  NH_HOST_CLIENTS_REPLICAS,
  NH_HOST_CLIENTS_NORMAL,
  NH_HOST_CLUSTER_LINKS,
  NH_HOST_AOF_BUFFER,
  NH_HOST_SCRIPT_CACHES,
  NH_HOST_FUNCTION_CACHES,
  NH_HOST_SCRIPT_VM,
  NH_HOST_FUNCTION_VM,
  NH_HOST_REPLICATION_BUFFERS,
  NH_HOST_TABLE_LOOKUP,
  NH_HOST_TABLE_REHASHING,
  NH_HOST_NOT_COUNTED_FOR_EVICT,
  NH_HOST_MAX_MEMORY,
  NH_HOST_REHASHING_TABLES,
  NH_HOST_KEYS,
  NH_HOST_CACHED_SCRIPTS,
  NH_HOST_FUNCTIONS,
  NH_HOST_LIBRARIES,
  NH_HOST_CLIENTS,
  NH_HOST_REPLICAS
} nh_host_figure;

typedef struct nh_host_emitter nh_host_emitter;

/** Called whenever a snapshot is taken, on any thread; must not allocate; gives each figure at most once. */
typedef void (*nh_read_host_figures)(void* context, nh_host_emitter* out);

/** \returns  NH_INVALID_ARGUMENT for NULL, and if the process has registered its server's figures before. */
NH_API nh_status nh_register_host_figures(nh_read_host_figures read, void* context) NH_NOEXCEPT;

/* For use inside an nh_read_host_figures only. A figure that is none is ignored. */
NH_API void nh_host_set(nh_host_emitter* out, nh_host_figure figure, int64_t value) NH_NOEXCEPT;
NH_API void nh_host_database(nh_host_emitter* out, uint64_t database, int64_t main_bytes,
                             int64_t expires_bytes) NH_NOEXCEPT;
/** \param name  in static storage: "noeviction". */
NH_API void nh_host_maxmemory_policy(nh_host_emitter* out, const char* name) NH_NOEXCEPT;

NH_END_DECLS

#endif

#include "numaheap/stats/host_figures.hpp"

namespace numaheap::stats {

struct HostReader {
  static void read(void* context, Emitter& out) noexcept;
};

namespace {

/// Set before the metrics are registered, which publishes it.
ReadHostFigures g_read = nullptr;

const char* not_given(void* /*context*/) noexcept { return "the server does not give it"; }

constexpr Metric figure(const char* name, const char* help, Unit unit = Unit::kBytes) {
  return {.name = name, .help = help, .unit = unit, .source = Source::kHost, .why = not_given};
}

/// In the order of HostFigure.
constinit Metric g_figures[] = {
    figure("numaheap_host_startup_bytes", "Live bytes when the server had started."),
    figure("numaheap_host_replication_backlog_bytes", "Replication backlog."),
    figure("numaheap_host_replica_full_sync_buffer_bytes", "Kept for replicas that synchronise."),
    figure("numaheap_host_replica_bytes", "Buffers of replicas, beyond the backlog."),
    figure("numaheap_host_client_bytes", "Buffers of clients that are no replicas."),
    figure("numaheap_host_cluster_links_bytes", "Links to other nodes of a cluster."),
    figure("numaheap_host_aof_buffer_bytes", "Buffer of the append-only file."),
    figure("numaheap_host_script_caches_bytes", "Cached scripts, without their interpreter."),
    figure("numaheap_host_function_caches_bytes", "Functions, without their interpreter."),
    figure("numaheap_host_script_vm_bytes", "Interpreter of scripts."),
    figure("numaheap_host_function_vm_bytes", "Interpreter of functions."),
    figure("numaheap_host_replication_buffers_bytes", "All replication buffers together."),
    figure("numaheap_host_table_lookup_bytes", "Buckets of the databases' tables."),
    figure("numaheap_host_table_rehashing_bytes", "Tables that are being rehashed."),
    figure("numaheap_host_not_counted_for_evict_bytes", "What maxmemory leaves out."),
    figure("numaheap_host_maxmemory_bytes", "The server's own limit on used_memory."),
    figure("numaheap_host_rehashing_tables", "Tables that are being rehashed.", Unit::kCount),
    figure("numaheap_host_keys", "Keys in all databases.", Unit::kCount),
    figure("numaheap_host_scripts", "Cached scripts.", Unit::kCount),
    figure("numaheap_host_functions", "Functions.", Unit::kCount),
    figure("numaheap_host_libraries", "Libraries of functions.", Unit::kCount),
    figure("numaheap_host_clients", "Connections, those of replicas too.", Unit::kCount),
    figure("numaheap_host_replicas", "Connections of replicas.", Unit::kCount),
};
static_assert(std::size(g_figures) == kHostFigures);

constinit Metric g_policy{.name = kHostPolicy,
                          .help = "What the server does at its limit.",
                          .type = Type::kInfo,
                          .source = Source::kHost,
                          .label_keys = {"policy"},
                          .why = not_given};
constinit Metric g_database{.name = kHostDatabaseBytes,
                            .help = "Tables of a database: its keys, and when they expire.",
                            .unit = Unit::kBytes,
                            .source = Source::kHost,
                            .label_keys = {"db", "table"},
                            .read = HostReader::read,
                            .why = not_given};

constinit std::atomic<bool> g_registered{false};

}  // namespace

void HostReader::read(void* context, Emitter& out) noexcept {
  HostEmitter host(out);
  g_read(context, host);
}

const char* metric_name(HostFigure figure) noexcept {
  return g_figures[static_cast<size_t>(figure)].name;
}

void HostEmitter::set(HostFigure figure, int64_t value) noexcept {
  out_.emit(g_figures[static_cast<size_t>(figure)], value);
}

void HostEmitter::database(uint64_t index, int64_t main_bytes, int64_t expires_bytes) noexcept {
  out_.emit(g_database, main_bytes, {index, "main"});
  out_.emit(g_database, expires_bytes, {index, "expires"});
}

void HostEmitter::maxmemory_policy(const char* name) noexcept { out_.emit(g_policy, 1, {name}); }

bool register_host_figures(ReadHostFigures read, void* context) noexcept {
  // relaxed: elects who registers; what it registers is published by the registry.
  if (g_registered.exchange(true, std::memory_order_relaxed)) return false;
  g_read = read;
  g_database.context = context;
  register_metric(g_database);
  register_metric(g_policy);
  for (Metric& metric : g_figures) register_metric(metric);
  return true;
}

}  // namespace numaheap::stats

/* The C face of the figures, as a server in C uses it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numaheap/malloc_stats.h"
#include "numaheap/stats.h"

static int failures = 0;

#define CHECK(condition)                                                                      \
  do {                                                                                        \
    if (!(condition)) {                                                                       \
      fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__, __func__, #condition); \
      ++failures;                                                                             \
    }                                                                                         \
  } while (0)

enum { kText = 1 << 20 };
static char text[kText];

struct server {
  int64_t clients;
};

static void read_server(void* context, nh_host_emitter* out) {
  const struct server* server = context;
  nh_host_set(out, NH_HOST_STARTUP, 100);
  nh_host_set(out, NH_HOST_CLIENTS_NORMAL, server->clients);
  nh_host_set(out, (nh_host_figure)99, 1);
  nh_host_database(out, 0, 40, 2);
  nh_host_database(out, 5, 60, 3);
  nh_host_maxmemory_policy(out, "allkeys-lru");
}

static const char* rendered(nh_rendering rendering, nh_detail detail) {
  const size_t length = nh_render_stats(rendering, detail, text, sizeof text);
  CHECK(length > 0 && length < sizeof text);
  CHECK(strlen(text) == length);
  return text;
}

static void a_server_registers_its_figures_once(void) {
  static struct server server = {.clients = 7};
  CHECK(nh_register_host_figures(NULL, NULL) == NH_INVALID_ARGUMENT);
  CHECK(nh_register_host_figures(read_server, &server) == NH_OK);
  CHECK(nh_register_host_figures(read_server, &server) == NH_INVALID_ARGUMENT);
}

static void each_rendering_has_what_it_should(void) {
  CHECK(strstr(rendered(NH_INFO_MEMORY, NH_SUMMARY), "\r\nused_memory_overhead:212\r\n") != NULL);
  CHECK(strstr(text, "\r\nmaxmemory_policy:allkeys-lru\r\n") != NULL);
  CHECK(strstr(rendered(NH_MEMORY_STATS, NH_SUMMARY), "\nclients.normal:7\n") != NULL);
  CHECK(strstr(rendered(NH_OPENMETRICS, NH_PER_CLASS), "\nredis_mem_clients_normal 7\n") != NULL);
  CHECK(strcmp(text + strlen(text) - 6, "# EOF\n") == 0);
  CHECK(strstr(text, "numaheap_class_live_blocks{") != NULL);
  CHECK(strstr(rendered(NH_OPENMETRICS, NH_SUMMARY), "numaheap_class_live_blocks{") == NULL);
  CHECK(strstr(rendered(NH_PROMETHEUS, NH_SUMMARY), "# EOF") == NULL);
  CHECK(strstr(rendered(NH_STATS_JSON, NH_PER_THREAD), "numaheap_thread_cached_bytes") != NULL);
  CHECK(strstr(rendered(NH_STATS_TABLE, NH_SUMMARY), "no hard limit is set") != NULL);
}

static void arguments_that_are_not_accepted_give_nothing(void) {
  CHECK(nh_render_stats((nh_rendering)77, NH_SUMMARY, text, sizeof text) == 0 && text[0] == 0);
  CHECK(nh_render_stats(NH_INFO_MEMORY, (nh_detail)-1, text, sizeof text) == 0);
  CHECK(nh_render_stats(NH_INFO_MEMORY, NH_SUMMARY, NULL, 0) > 100);
}

static void memory_stats_can_be_replied(void) {
  enum { kRoom = 200 };
  nh_memory_stat stats[kRoom];
  size_t map_length = 0;
  const size_t keys = nh_memory_stats(stats, kRoom, &map_length);
  CHECK(keys > 10 && keys <= kRoom);
  CHECK(map_length == keys - 2); /* two databases of two keys */
  int clients = 0;
  int databases = 0;
  for (size_t i = 0; i < keys; ++i) {
    if (strcmp(stats[i].key, "clients.normal") == 0) clients = stats[i].number == 7;
    if (stats[i].database == 5) ++databases;
    if (strcmp(stats[i].key, "peak.percentage") == 0) CHECK(!stats[i].is_whole);
  }
  CHECK(clients == 1 && databases == 2);
  CHECK(strcmp(stats[0].key, "peak.allocated") == 0);
  nh_memory_stat first;
  CHECK(nh_memory_stats(&first, 1, &map_length) == keys && map_length == 1);
  CHECK(nh_memory_stats(NULL, 0, NULL) == keys);
}

static void count_characters(void* context, const char* piece) {
  *(size_t*)context += strlen(piece);
}

static void malloc_stats_come_in_pieces(void) {
  size_t characters = 0;
  nh_malloc_stats_print(count_characters, &characters, "b");
  CHECK(characters > 200);
}

/* Run with NUMAHEAP_BACKEND=system. */
static void another_back_end_says_what_is_lost(void) {
  CHECK(strstr(rendered(NH_STATS_TABLE, NH_PER_THREAD), "another back end serves") != NULL);
  CHECK(strstr(text, "\nprocess_resident ") != NULL);
  CHECK(strstr(rendered(NH_INFO_MEMORY, NH_SUMMARY), "used_memory:") == NULL);
  CHECK(strstr(text, "\r\nused_memory_rss:") != NULL);
}

int main(void) {
  const char* back_end = getenv("NUMAHEAP_BACKEND");
  void* block = nh_malloc(1000);
  if (back_end != NULL && strcmp(back_end, "system") == 0) {
    another_back_end_says_what_is_lost();
    nh_free(block);
    return failures == 0 ? 0 : 1;
  }
  a_server_registers_its_figures_once();
  each_rendering_has_what_it_should();
  arguments_that_are_not_accepted_give_nothing();
  memory_stats_can_be_replied();
  malloc_stats_come_in_pieces();
  nh_free(block);
  if (failures == 0) puts("passed");
  return failures == 0 ? 0 : 1;
}

/* The C face, from C: every function once, with what its comment promises. */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numaheap.h"

static int failures = 0;

#define CHECK(condition)                                                                      \
  do {                                                                                        \
    if (!(condition)) {                                                                       \
      fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__, __func__, #condition); \
      ++failures;                                                                             \
    }                                                                                         \
  } while (0)

static int all_bytes_are(const void* block, size_t bytes, unsigned char value) {
  const unsigned char* p = block;
  for (size_t i = 0; i < bytes; ++i) {
    if (p[i] != value) return 0;
  }
  return 1;
}

static void the_library_and_the_header_agree_on_the_version(void) {
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", NH_VERSION_MAJOR, NH_VERSION_MINOR, NH_VERSION_PATCH);
  CHECK(strcmp(nh_version_string(), text) == 0);
  CHECK(nh_check_abi(NH_ABI_VERSION) == NH_OK);
  CHECK(nh_check_abi(NH_ABI_VERSION + 1) == NH_NOT_SUPPORTED);
}

static void every_status_has_a_text_of_its_own(void) {
  for (int a = NH_OK; a <= NH_SYSTEM; ++a) {
    CHECK(strlen(nh_status_text((nh_status)a)) > 0);
    for (int b = NH_OK; b < a; ++b) {
      CHECK(strcmp(nh_status_text((nh_status)a), nh_status_text((nh_status)b)) != 0);
    }
  }
  CHECK(strstr(nh_status_text((nh_status)1000), "not a status") != NULL);
}

static void blocks_are_aligned_usable_and_owned(void) {
  for (size_t bytes = 0; bytes < 100000; bytes = bytes * 3 / 2 + 1) {
    char* block = nh_malloc(bytes);
    CHECK(block != NULL);
    CHECK((uintptr_t)block % (bytes <= 8 ? 8 : 16) == 0);
    CHECK(nh_malloc_usable_size(block) >= bytes);
    CHECK(nh_owns(block));
    memset(block, 0x5a, nh_malloc_usable_size(block));
    if (bytes % 2 == 0) {
      nh_free(block);
    } else {
      nh_free_sized(block, bytes);
    }
  }
  nh_free(NULL);
  nh_free_sized(NULL, 16);
  CHECK(nh_malloc_usable_size(NULL) == 0);
  int on_the_stack = 0;
  CHECK(!nh_owns(&on_the_stack));
  CHECK(nh_home_node(&on_the_stack) == NH_NO_NODE);
}

static void zeroed_blocks_are_zero_even_when_used_before(void) {
  void* used = nh_malloc(3000);
  memset(used, 0xff, 3000);
  nh_free(used);
  unsigned char* array = nh_calloc(30, 100);
  CHECK(array != NULL && all_bytes_are(array, 3000, 0));
  nh_free(array);
  unsigned char* block = nh_zalloc(3000);
  CHECK(block != NULL && all_bytes_are(block, 3000, 0));
  nh_free(block);
}

static void an_array_whose_size_overflows_is_out_of_memory(void) {
  errno = 0;
  CHECK(nh_calloc(SIZE_MAX / 2, 3) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(nh_try_calloc(SIZE_MAX / 2, 3) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(nh_malloc(SIZE_MAX) == NULL && errno == ENOMEM);
}

static void aligned_blocks_are_aligned(void) {
  for (size_t alignment = 1; alignment <= 65536; alignment *= 2) {
    void* block = nh_aligned_alloc(alignment, 100);
    CHECK(block != NULL && (uintptr_t)block % alignment == 0);
    nh_free_aligned_sized(block, alignment, 100);
  }
  errno = 0;
  CHECK(nh_aligned_alloc(24, 100) == NULL && errno == EINVAL);
}

static void a_block_lies_where_it_was_asked_for(void) {
  const unsigned here = nh_thread_node();
  CHECK(here != NH_NO_NODE);
  CHECK(nh_set_thread_home((nh_placement){NH_NODE, here}) == NH_OK && nh_thread_node() == here);
  char* local = nh_malloc(100);
  CHECK(nh_home_node(local) == here);
  char* placed = nh_malloc_onnode(100, here);
  CHECK(placed != NULL && nh_home_node(placed) == here);
  char* aligned = nh_aligned_alloc_on((nh_placement){NH_NODE, here}, 4096, 8192);
  CHECK(aligned != NULL && (uintptr_t)aligned % 4096 == 0 && nh_home_node(aligned) == here);
  aligned[0] = 1;
  unsigned resident = NH_NO_NODE;
  const nh_status status = nh_resident_node(aligned, &resident);
  CHECK(status == NH_NOT_PERMITTED || status == NH_NOT_SUPPORTED ||
        (status == NH_OK && resident != NH_NO_NODE));
  char* interleaved = nh_malloc_interleaved(1 << 20);
  CHECK(interleaved != NULL && nh_owns(interleaved));
  char* weighted = nh_malloc_weighted(1 << 20);
  CHECK(weighted != NULL && nh_owns(weighted));
  errno = 0;
  CHECK(nh_malloc_onnode(100, 1000000) == NULL && errno == EINVAL);
  errno = 0;
  CHECK(nh_aligned_alloc_on((nh_placement){(nh_placement_kind)77, 0}, 1, 100) == NULL &&
        errno == EINVAL);
  CHECK(nh_set_thread_home((nh_placement){NH_NODE, 1000000}) == NH_NOT_FOUND);
  CHECK(nh_set_thread_home((nh_placement){(nh_placement_kind)77, 0}) == NH_INVALID_ARGUMENT);
  CHECK(nh_set_thread_home((nh_placement){NH_LOCAL, 0}) == NH_OK);
  nh_free(local);
  nh_free(placed);
  nh_free(aligned);
  nh_free(interleaved);
  nh_free(weighted);
}

static void resizing_keeps_the_contents(void) {
  unsigned char* block = nh_realloc(NULL, 10);
  memset(block, 7, 10);
  for (size_t bytes = 10; bytes < 1000000; bytes *= 3) {
    unsigned char* larger = nh_realloc(block, bytes * 3);
    CHECK(larger != NULL && all_bytes_are(larger, bytes, 7));
    block = larger;
    memset(block, 7, bytes * 3);
  }
  CHECK(nh_expand_in_place(block, nh_malloc_usable_size(block)));
  CHECK(!nh_expand_in_place(block, SIZE_MAX / 4));
  CHECK(nh_realloc(block, SIZE_MAX / 4) == NULL);
  CHECK(nh_try_realloc(block, SIZE_MAX / 4) == NULL);
  CHECK(all_bytes_are(block, 10000, 7));
  block = nh_realloc(block, 0);
  CHECK(block != NULL);
  nh_free(block);
}

static void a_batch_is_as_many_single_blocks(void) {
  void* blocks[300];
  CHECK(nh_malloc_batch(200, blocks, 300) == 300);
  for (size_t i = 0; i < 300; ++i) {
    CHECK(nh_malloc_usable_size(blocks[i]) >= 200);
    memset(blocks[i], (int)i, 200);
  }
  for (size_t i = 0; i < 300; ++i) CHECK(all_bytes_are(blocks[i], 200, (unsigned char)i));
  nh_free(blocks[17]);
  blocks[17] = NULL;
  nh_free_batch(blocks, 300);
  CHECK(nh_try_malloc_batch(200, blocks, 3) == 3);
  nh_free_batch(blocks, 3);
}

static void used_memory_follows_what_is_live(void) {
  const size_t before = nh_used_memory();
  void* block = nh_malloc(1 << 20);
  CHECK(nh_used_memory() >= before + (1 << 20));
  nh_free(block);
  CHECK(nh_used_memory() == before);
}

static void unused_memory_goes_back_to_the_kernel(void) {
  char* block = nh_malloc(32 << 20);
  memset(block, 1, 32 << 20);
  nh_free(block);
  nh_trim();
  size_t left = SIZE_MAX;
  const size_t first = nh_purge(4 << 20, &left);
  CHECK(left != SIZE_MAX);
  const size_t rest = nh_purge_node(nh_thread_node(), (size_t)1 << 40, NULL);
  CHECK(first + rest >= 16 << 20);
  nh_housekeep();
  nh_thread_idle();
  nh_free(nh_malloc(100));
}

static int hook_calls = 0;
static void* hoard = NULL;
static int free_the_hoard(size_t wanted_bytes, void* context) {
  ++hook_calls;
  CHECK(wanted_bytes > 0);
  CHECK(context == &hoard);
  if (hoard == NULL) return 0;
  nh_free(hoard);
  hoard = NULL;
  return 1;
}

static int hard_events = 0;
static void count_hard_events(const nh_limit_event* event, void* context) {
  (void)context;
  CHECK(event->kind == NH_LIMIT_LIVE);
  CHECK(event->node == NH_NO_NODE);
  CHECK(event->limit_bytes > 0);
  if (event->hard) ++hard_events;
}

static void beyond_a_hard_limit_the_hook_is_asked_but_not_by_the_try_forms(void) {
  enum { kHoard = 64 << 20 };
  hoard = nh_malloc(kHoard);
  nh_set_reclaim_hook(free_the_hoard, &hoard);
  nh_set_limit_callback(count_hard_events, NULL);
  CHECK(nh_set_limit(NH_LIMIT_LIVE, 0, nh_used_memory() + (8 << 20)) == NH_OK);
  size_t soft = 1, hard = 0;
  nh_get_limit(NH_LIMIT_LIVE, &soft, &hard);
  CHECK(soft == 0 && hard > kHoard);

  errno = 0;
  CHECK(nh_try_malloc(kHoard) == NULL && errno == ENOMEM);
  CHECK(nh_try_zalloc(kHoard) == NULL);
  CHECK(nh_try_aligned_alloc(4096, kHoard) == NULL);
  CHECK(nh_try_malloc_onnode(kHoard, nh_thread_node()) == NULL);
  CHECK(nh_try_malloc_interleaved(kHoard) == NULL);
  CHECK(nh_try_malloc_weighted(kHoard) == NULL);
  CHECK(nh_try_aligned_alloc_on((nh_placement){NH_LOCAL, 0}, 1, kHoard) == NULL);
  CHECK(hook_calls == 0);
  CHECK(hard_events > 0);

  void* block = nh_malloc(kHoard);
  CHECK(block != NULL);
  CHECK(hook_calls == 1);
  CHECK(nh_malloc(kHoard) == NULL);
  CHECK(hook_calls == 2);

  CHECK(nh_set_limit(NH_LIMIT_LIVE, 0, 0) == NH_OK);
  nh_set_reclaim_hook(NULL, NULL);
  nh_set_limit_callback(NULL, NULL);
  nh_free(block);
}

static void limits_that_make_no_sense_are_refused(void) {
  CHECK(nh_set_limit(NH_LIMIT_LIVE, 200, 100) == NH_INVALID_ARGUMENT);
  CHECK(nh_set_limit((nh_limit_kind)77, 0, 0) == NH_INVALID_ARGUMENT);
  CHECK(nh_set_node_limit(1000000, 0, 100) == NH_NOT_FOUND);
  CHECK(nh_set_node_limit(nh_thread_node(), 1, (size_t)1 << 40) == NH_OK);
  size_t soft = 0, hard = 0;
  nh_get_node_limit(nh_thread_node(), &soft, &hard);
  CHECK(soft == 1 && hard == (size_t)1 << 40);
  void* block = nh_malloc(8 << 20);
  CHECK(nh_over_soft_limit());
  nh_free(block);
  CHECK(nh_set_node_limit(nh_thread_node(), 0, 0) == NH_OK);
}

static int misuses = 0;
static const void* misused = NULL;
static void note_misuse(const nh_report* report, void* context) {
  CHECK(context == &misuses);
  CHECK(report->text != NULL && report->text[0] != 0);
  if (report->kind != NH_REPORT_MISUSE) return;
  ++misuses;
  misused = report->address;
}

static void a_pointer_that_is_not_the_heaps_is_reported_and_dropped(void) {
  nh_set_report_callback(note_misuse, &misuses);
  static long foreign[4];
  nh_free(&foreign[1]);
  CHECK(misuses == 1);
  CHECK(misused == &foreign[1]);
  nh_set_report_callback(NULL, NULL);
}

int main(void) {
  the_library_and_the_header_agree_on_the_version();
  every_status_has_a_text_of_its_own();
  blocks_are_aligned_usable_and_owned();
  zeroed_blocks_are_zero_even_when_used_before();
  an_array_whose_size_overflows_is_out_of_memory();
  aligned_blocks_are_aligned();
  a_block_lies_where_it_was_asked_for();
  resizing_keeps_the_contents();
  a_batch_is_as_many_single_blocks();
  used_memory_follows_what_is_live();
  unused_memory_goes_back_to_the_kernel();
  beyond_a_hard_limit_the_hook_is_asked_but_not_by_the_try_forms();
  limits_that_make_no_sense_are_refused();
  a_pointer_that_is_not_the_heaps_is_reported_and_dropped();
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* zmalloc.h from C, once per server family: NUMAHEAP_ZMALLOC_* selects the signatures, and all of them answer alike. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numaheap.h"
#include "numaheap/sdsalloc.h"
#include "numaheap/zmalloc.h"

static int failures = 0;

#define CHECK(condition)                                                                      \
  do {                                                                                        \
    if (!(condition)) {                                                                       \
      fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__, __func__, #condition); \
      ++failures;                                                                             \
    }                                                                                         \
  } while (0)

static void allocator_info_is_filled_in(void) {
  enum { kBytes = 8 << 20 };
  char* block = zmalloc(kBytes);
  memset(block, 1, kBytes);
  size_t allocated = 0, active = 0, resident = 0, retained = 1, muzzy = 1, waste = 1;
#if defined(NUMAHEAP_ZMALLOC_REDIS_74) || defined(NUMAHEAP_ZMALLOC_REDIS_2026)
  CHECK(zmalloc_get_allocator_info(1, &allocated, &active, &resident, &retained, &muzzy, &waste) ==
        1);
#elif defined(NUMAHEAP_ZMALLOC_VALKEY_80)
  CHECK(zmalloc_get_allocator_info(&allocated, &active, &resident, &retained, &muzzy, &waste) == 1);
#elif defined(NUMAHEAP_ZMALLOC_VALKEY_81)
  CHECK(zmalloc_get_allocator_info(&allocated, &active, &resident, &retained, &muzzy) == 1);
#else
  CHECK(zmalloc_get_allocator_info(&allocated, &active, &resident) == 1);
#endif
  CHECK(allocated >= kBytes);
  CHECK(active >= allocated);
  CHECK(resident >= active);
#if defined(NUMAHEAP_ZMALLOC_REDIS_74) || defined(NUMAHEAP_ZMALLOC_REDIS_2026)
  size_t again = 0;
  CHECK(zmalloc_get_allocator_info(0, &again, &active, &resident, &retained, &muzzy, &waste) == 1);
  CHECK(again == allocated);
#endif
  (void)retained, (void)muzzy, (void)waste;
  zfree(block);
}

static void a_resized_block_tells_its_sizes(void) {
  size_t usable = 0;
  char* block = zmalloc_usable(100, &usable);
  CHECK(usable >= 100 && usable == zmalloc_usable_size(block));
  memset(block, 7, usable);
  const size_t old = usable;
#ifdef NUMAHEAP_ZMALLOC_REDIS_2026
  size_t old_usable = 0;
  block = zrealloc_usable(block, 10000, &usable, &old_usable);
  CHECK(old_usable == old);
  const size_t middle = usable;
  block = ztryrealloc_usable(block, 20000, &usable, &old_usable);
  CHECK(old_usable == middle);
#else
  block = zrealloc_usable(block, 10000, &usable);
  CHECK(usable >= 10000);
  block = ztryrealloc_usable(block, 20000, &usable);
#endif
  CHECK(usable >= 20000 && usable == zmalloc_size(block));
  CHECK(block[0] == 7 && block[old - 1] == 7);
  zfree_with_size(block, usable);
}

static void pages_that_are_not_needed_read_as_zeros(void) {
  enum { kBytes = 1 << 20, kPage = 4096 };
  unsigned char* block = zmalloc_with_flags(kBytes, 12); /* MALLOCX_LG_ALIGN(12) */
  memset(block, 0xff, kBytes);
#ifdef NUMAHEAP_ZMALLOC_VALKEY_81
  zmadvise_dontneed(block, 64);
  CHECK(block[0] == 0xff);
  zmadvise_dontneed(block, kBytes);
#else
  zmadvise_dontneed(block);
#endif
  CHECK(block[0] == 0 && block[kBytes - 1] == 0);
  zfree(block);
}

static void functions_can_be_passed_on(void) {
  void* (*allocate)(size_t) = zcalloc;
  void (*release)(void*) = zfree;
  char* block = allocate(64);
  CHECK(block != NULL && block[63] == 0);
  release(block);
  char* text = s_malloc(6);
  memcpy(text, "hello", 6);
  text = s_realloc(text, 1000);
  CHECK(strcmp(text, "hello") == 0);
  s_free(text);
}

static void the_allocator_is_named_with_its_version(void) {
  CHECK(strncmp(ZMALLOC_LIB, "numaheap-", 9) == 0);
  CHECK(strcmp(&ZMALLOC_LIB[9], nh_version_string()) == 0);
}

int main(void) {
  allocator_info_is_filled_in();
  a_resized_block_tells_its_sizes();
  pages_that_are_not_needed_read_as_zeros();
  functions_can_be_passed_on();
  the_allocator_is_named_with_its_version();
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

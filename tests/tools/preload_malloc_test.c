/* The malloc family as a C program under the preload object sees it: edge cases, errno, and what glibc 2.36 does where
 * the standards leave it open. Runs with LD_PRELOAD set; each function is one true sentence. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* C23's, which glibc 2.36 lacks; weak, so that the program links without the preload object. */
__attribute__((weak)) void free_sized(void* block, size_t size);
__attribute__((weak)) void free_aligned_sized(void* block, size_t alignment, size_t size);

static int failures;

#define EXPECT(condition)                                                       \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                               \
    }                                                                           \
  } while (0)

/* Sizes come through here, so that the compiler does not judge the calls. */
static size_t hide(size_t value) {
  __asm__ volatile("" : "+r"(value));
  return value;
}

static int is_aligned(const void* block, size_t alignment) {
  return (uintptr_t)block % alignment == 0;
}

static int holds(const unsigned char* block, int byte, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (block[i] != byte) return 0;
  }
  return 1;
}

static const size_t kSizes[] = {1,     8,      9,       16,      17,      64,
                                100,   128,    129,     1000,    4096,    14336,
                                14337, 100000, 1 << 20, 4 << 20, 5 << 20, 33 << 20};
#define SIZES (sizeof kSizes / sizeof kSizes[0])

static const size_t kOversize[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX / 2 + 2, SIZE_MAX - 4096,
                                   SIZE_MAX};
#define OVERSIZES (sizeof kOversize / sizeof kOversize[0])

static void malloc_comes_from_the_preload_object(void) {
  Dl_info info;
  EXPECT(dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) != 0);
  EXPECT(strstr(info.dli_fname, "libnumaheap_preload.so") != NULL);
  EXPECT(free_sized != NULL && free_aligned_sized != NULL);
}

static void blocks_are_aligned_usable_to_their_end_and_apart(void) {
  unsigned char* blocks[SIZES];
  for (size_t i = 0; i < SIZES; ++i) {
    blocks[i] = malloc(kSizes[i]);
    EXPECT(blocks[i] != NULL);
    EXPECT(is_aligned(blocks[i], kSizes[i] > 8 ? 16 : 8));
    EXPECT(malloc_usable_size(blocks[i]) >= kSizes[i]);
    memset(blocks[i], (int)i + 1, malloc_usable_size(blocks[i]));
  }
  for (size_t i = 0; i < SIZES; ++i) {
    EXPECT(holds(blocks[i], (int)i + 1, malloc_usable_size(blocks[i])));
    free(blocks[i]);
  }
}

static void malloc_of_nothing_gives_blocks_that_differ(void) {
  void* first = malloc(hide(0));
  void* second = malloc(hide(0));
  EXPECT(first != NULL && second != NULL && first != second);
  free(first);
  free(second);
}

static void oversize_requests_fail_with_enomem(void) {
  for (size_t i = 0; i < OVERSIZES; ++i) {
    const size_t size = hide(kOversize[i]);
    void* untouched = &failures;
    errno = 0;
    EXPECT(malloc(size) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(calloc(1, size) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(realloc(NULL, size) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(aligned_alloc(64, size) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(memalign(64, size) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(valloc(size) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(pvalloc(size) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(posix_memalign(&untouched, 64, size) == ENOMEM && errno == 0 && untouched == &failures);
  }
}

static void products_that_overflow_fail_with_enomem(void) {
  errno = 0;
  EXPECT(calloc(hide(SIZE_MAX / 2), 3) == NULL && errno == ENOMEM);
  char* block = malloc(10);
  memset(block, 7, 10);
  errno = 0;
  EXPECT(reallocarray(block, hide(SIZE_MAX / 4), 5) == NULL && errno == ENOMEM);
  EXPECT(holds((unsigned char*)block, 7, 10)); /* still there */
  block = reallocarray(block, 100, 10);
  EXPECT(block != NULL && malloc_usable_size(block) >= 1000 && holds((unsigned char*)block, 7, 10));
  free(block);
}

static void calloc_clears_memory_that_was_used_before(void) {
  for (size_t i = 0; i < SIZES; ++i) {
    unsigned char* dirty[4];
    for (int k = 0; k < 4; ++k) {
      dirty[k] = malloc(kSizes[i]);
      memset(dirty[k], 0xee, malloc_usable_size(dirty[k]));
    }
    for (int k = 0; k < 4; ++k) free(dirty[k]);
    unsigned char* block = calloc(1, kSizes[i]);
    EXPECT(block != NULL && holds(block, 0, kSizes[i]));
    free(block);
  }
  void* nothing = calloc(hide(0), 10);
  EXPECT(nothing != NULL);
  free(nothing);
}

static void realloc_keeps_the_contents_in_both_directions(void) {
  for (size_t from = 0; from < SIZES; ++from) {
    for (size_t to = 0; to < SIZES; ++to) {
      unsigned char* block = malloc(kSizes[from]);
      memset(block, (int)from + 1, kSizes[from]);
      unsigned char* moved = realloc(block, kSizes[to]);
      EXPECT(moved != NULL && malloc_usable_size(moved) >= kSizes[to]);
      EXPECT(holds(moved, (int)from + 1, kSizes[from] < kSizes[to] ? kSizes[from] : kSizes[to]));
      free(moved);
    }
  }
}

static void realloc_of_null_allocates_and_to_nothing_frees(void) {
  void* block = realloc(NULL, 100);
  EXPECT(block != NULL);
  errno = 0;
  EXPECT(realloc(block, hide(0)) == NULL && errno == 0); /* as glibc: the block is gone */
  block = realloc(NULL, hide(0));
  EXPECT(block != NULL);
  EXPECT(reallocarray(block, hide(0), 5) == NULL);
}

static void realloc_leaves_a_growing_block_room_where_a_copy_is_dear(void) {
  char* block = malloc(40000);
  const size_t usable = malloc_usable_size(block);
  block = realloc(block, usable + 1);
  EXPECT(malloc_usable_size(block) >= usable + usable / 4);
  char* const before = block;
  block = realloc(block, malloc_usable_size(block));
  EXPECT(block == before);
  block = realloc(block, 50000); /* and what shrinks gets what it asks for */
  EXPECT(malloc_usable_size(block) < 60000);
  free(block);
  block = malloc(100);
  block = realloc(block, malloc_usable_size(block) + 1);
  EXPECT(malloc_usable_size(block) <= 128);
  free(block);
}

static void realloc_that_fails_keeps_the_block(void) {
  unsigned char* block = malloc(1000);
  memset(block, 9, 1000);
  errno = 0;
  EXPECT(realloc(block, hide(SIZE_MAX / 2 + 2)) == NULL && errno == ENOMEM);
  EXPECT(holds(block, 9, 1000));
  free(block);
}

static void alignments_up_to_many_pages_are_kept(void) {
  for (size_t alignment = sizeof(void*); alignment <= 4 << 20; alignment *= 2) {
    for (size_t i = 0; i < SIZES; ++i) {
      void* block = NULL;
      EXPECT(posix_memalign(&block, alignment, kSizes[i]) == 0);
      EXPECT(is_aligned(block, alignment) && malloc_usable_size(block) >= kSizes[i]);
      memset(block, 1, malloc_usable_size(block));
      free(block);
      block = aligned_alloc(alignment, kSizes[i]);
      EXPECT(block != NULL && is_aligned(block, alignment));
      free_aligned_sized(block, alignment, kSizes[i]);
    }
  }
}

static void posix_memalign_refuses_alignments_that_are_none(void) {
  static const size_t kBad[] = {0, 1, 2, 4, 3, 12, 24, 4095, SIZE_MAX};
  for (size_t i = 0; i < sizeof kBad / sizeof kBad[0]; ++i) {
    void* untouched = &failures;
    errno = 0;
    EXPECT(posix_memalign(&untouched, hide(kBad[i]), 100) == EINVAL && errno == 0 &&
           untouched == &failures);
  }
  void* block = NULL;
  EXPECT(posix_memalign(&block, 64, hide(0)) == 0 && block != NULL);
  free(block);
}

static void memalign_rounds_alignments_up_as_glibc_does(void) {
  static const size_t kOdd[][2] = {{0, 1}, {1, 1}, {3, 4}, {24, 32}, {65, 128}, {4097, 8192}};
  for (size_t i = 0; i < sizeof kOdd / sizeof kOdd[0]; ++i) {
    void* block = memalign(hide(kOdd[i][0]), 100);
    EXPECT(block != NULL && is_aligned(block, kOdd[i][1]));
    free(block);
    block = aligned_alloc(hide(kOdd[i][0]), 100);
    EXPECT(block != NULL && is_aligned(block, kOdd[i][1]));
    free(block);
  }
  errno = 0;
  EXPECT(memalign(hide(SIZE_MAX), 100) == NULL && errno == EINVAL);
}

static void valloc_and_pvalloc_give_pages(void) {
  void* block = valloc(10);
  EXPECT(block != NULL && is_aligned(block, 4096));
  free(block);
  block = pvalloc(4097);
  EXPECT(block != NULL && is_aligned(block, 4096) && malloc_usable_size(block) >= 8192);
  free(block);
}

static void free_keeps_errno_and_ignores_null(void) {
  errno = 1234;
  free(NULL);
  free_sized(NULL, 10);
  free_aligned_sized(NULL, 16, 10);
  EXPECT(errno == 1234);
  for (size_t i = 0; i < SIZES; ++i) {
    void* blocks[64];
    for (int k = 0; k < 64; ++k) blocks[k] = malloc(kSizes[i]);
    errno = 1234;
    for (int k = 0; k < 64; ++k) free_sized(blocks[k], kSizes[i]);
    EXPECT(errno == 1234);
  }
  EXPECT(malloc_usable_size(NULL) == 0);
}

static void usable_size_is_what_the_next_larger_request_also_gets(void) {
  for (size_t i = 0; i < SIZES; ++i) {
    void* block = malloc(kSizes[i]);
    const size_t usable = malloc_usable_size(block);
    void* whole = malloc(usable);
    EXPECT(malloc_usable_size(whole) == usable);
    free(whole);
    free(block);
  }
}

static void mallinfo_counts_what_lives(void) {
  const struct mallinfo2 before = mallinfo2();
  char* block = malloc(64 << 20);
  memset(block, 1, 64 << 20);
  const struct mallinfo2 with = mallinfo2();
  EXPECT(with.uordblks >= before.uordblks + (64 << 20));
  EXPECT(with.arena >= with.uordblks);
  EXPECT(with.fordblks == with.arena - with.uordblks);
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  EXPECT((size_t)mallinfo().uordblks >= 64 << 20);
  free(block);
  EXPECT(mallinfo2().uordblks < with.uordblks);
}

static void malloc_trim_gives_memory_back_once(void) {
  char* block = malloc(64 << 20);
  memset(block, 1, 64 << 20);
  free(block);
  EXPECT(malloc_trim(0) == 1);
  EXPECT(mallinfo2().keepcost < 64 << 20);
}

static void malloc_info_writes_xml(void) {
  char* text = NULL;
  size_t size = 0;
  FILE* out = open_memstream(&text, &size);
  EXPECT(malloc_info(0, out) == 0);
  fclose(out);
  EXPECT(strncmp(text, "<malloc version=\"1\">\n", 21) == 0);
  EXPECT(strstr(text, "<heap nr=\"0\"") != NULL &&
         strstr(text, "<total type=\"live\" size=\"") != NULL);
  EXPECT(size > 10 && strcmp(text + size - 10, "</malloc>\n") == 0);
  size_t opened = 0, closed = 0;
  for (const char* at = text; (at = strstr(at, "<heap ")) != NULL; ++at) ++opened;
  for (const char* at = text; (at = strstr(at, "</heap>")) != NULL; ++at) ++closed;
  EXPECT(opened >= 1 && opened == closed);
  free(text);
  EXPECT(malloc_info(1, stderr) == EINVAL);
}

static void mallopt_accepts_what_glibc_knows(void) {
  EXPECT(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1);
  EXPECT(mallopt(M_ARENA_MAX, 1) == 1);
  EXPECT(mallopt(12345, 1) == 0);
}

static void* free_in_another_thread(void* block) {
  free(block);
  return malloc(1000);
}

static void blocks_may_be_freed_by_another_thread(void) {
  for (int i = 0; i < 50; ++i) {
    pthread_t thread;
    void* block = NULL;
    EXPECT(pthread_create(&thread, NULL, free_in_another_thread, malloc(1000)) == 0);
    EXPECT(pthread_join(thread, &block) == 0 && block != NULL);
    free(block);
  }
}

int main(void) {
  malloc_comes_from_the_preload_object();
  blocks_are_aligned_usable_to_their_end_and_apart();
  malloc_of_nothing_gives_blocks_that_differ();
  oversize_requests_fail_with_enomem();
  products_that_overflow_fail_with_enomem();
  calloc_clears_memory_that_was_used_before();
  realloc_keeps_the_contents_in_both_directions();
  realloc_of_null_allocates_and_to_nothing_frees();
  realloc_leaves_a_growing_block_room_where_a_copy_is_dear();
  realloc_that_fails_keeps_the_block();
  alignments_up_to_many_pages_are_kept();
  posix_memalign_refuses_alignments_that_are_none();
  memalign_rounds_alignments_up_as_glibc_does();
  valloc_and_pvalloc_give_pages();
  free_keeps_errno_and_ignores_null();
  usable_size_is_what_the_next_larger_request_also_gets();
  mallinfo_counts_what_lives();
  malloc_trim_gives_memory_back_once();
  malloc_info_writes_xml();
  mallopt_accepts_what_glibc_knows();
  blocks_may_be_freed_by_another_thread();
  return failures == 0 ? 0 : 1;
}

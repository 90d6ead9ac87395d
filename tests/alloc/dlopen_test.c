/* The library opened by dlopen(3), as a plugin or a Python module brings it: its thread-local block must fit into what
 * glibc keeps for that, and threads that ran before have a heap too. */

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void* (*malloc_function)(size_t);
typedef void (*free_function)(void*);

static malloc_function nh_malloc;
static free_function nh_free;
static pthread_barrier_t opened;
static atomic_int failures;

static void* allocate_and_free(void* argument) {
  (void)argument;
  pthread_barrier_wait(&opened);
  enum { kBlocks = 20000 };
  char** blocks = nh_malloc(kBlocks * sizeof *blocks);
  for (size_t i = 0; i < kBlocks; ++i) {
    blocks[i] = nh_malloc(i % 2000 + 1);
    if (blocks[i] != NULL) memset(blocks[i], (int)i, i % 2000 + 1);
  }
  for (size_t i = 0; i < kBlocks; ++i) {
    if (blocks[i] == NULL || blocks[i][i % 2000] != (char)i) ++failures;
    nh_free(blocks[i]);
  }
  nh_free(blocks);
  return NULL;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s LIBRARY\n", argv[0]);
    return EXIT_FAILURE;
  }
  enum { kThreads = 4 };
  pthread_t threads[kThreads];
  pthread_barrier_init(&opened, NULL, kThreads + 1);
  for (int i = 0; i < kThreads; ++i) pthread_create(&threads[i], NULL, allocate_and_free, NULL);

  void* library = dlopen(argv[1], RTLD_NOW);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return EXIT_FAILURE;
  }
  *(void**)&nh_malloc = dlsym(library, "nh_malloc");
  *(void**)&nh_free = dlsym(library, "nh_free");
  if (nh_malloc == NULL || nh_free == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return EXIT_FAILURE;
  }
  pthread_barrier_wait(&opened);
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  dlclose(library); /* it stays: its thread-exit handlers do too */
  nh_free(nh_malloc(100));
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

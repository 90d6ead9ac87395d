#include "purge.hpp"

#include <dlfcn.h>
#include <malloc.h>

#include <cstddef>
#include <cstdio>

namespace numaheap::bench {

namespace {

template <class Function>
Function find(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

/// As Redis' MEMORY PURGE does it, after the calling thread's own cache.
void purge_jemalloc() {
  using Mallctl = int (*)(const char*, void*, size_t*, void*, size_t);
  const auto mallctl = find<Mallctl>("mallctl");
  if (mallctl == nullptr) return;
  mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);  // refused where there is none
  unsigned arenas = 0;
  size_t size = sizeof arenas;
  if (mallctl("arenas.narenas", &arenas, &size, nullptr, 0) != 0) return;
  char name[48];
  std::snprintf(name, sizeof name, "arena.%u.purge", arenas);
  if (mallctl(name, nullptr, nullptr, nullptr, 0) != 0)
    std::fprintf(stderr, "nh_workloads: mallctl refused %s\n", name);
}

}  // namespace

void give_back_unused_memory() {
  malloc_trim(0);
  purge_jemalloc();
  if (const auto release = find<void (*)()>("MallocExtension_ReleaseFreeMemory")) release();
  if (const auto collect = find<void (*)(bool)>("mi_collect")) collect(true);
}

}  // namespace numaheap::bench

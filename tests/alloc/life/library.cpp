// A shared library that allocates when it is loaded, in thread-local destructors, and when it is unloaded. Linked by a
// program (before main and after it), and loaded by one at run time (a plugin).
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "numaheap/alloc.hpp"
#include "numaheap/statistics.hpp"

namespace {

constexpr size_t kSizes[] = {8, 100, 5000, 100000, size_t{6} << 20};

void expect(bool is_true, const char* what) {
  if (is_true) return;
  fprintf(stderr, "not true: %s\n", what);
  _exit(1);  // late as it may be, the program must not end well
}

/// Blocks that live from one end of something to the other.
struct Blocks {
  void* blocks[5];
  Blocks() {
    for (int i = 0; i < 5; ++i) {
      blocks[i] = numaheap::allocate(kSizes[i]);
      expect(blocks[i] != nullptr && numaheap::owns(blocks[i]), "the heap serves");
      memset(blocks[i], i, kSizes[i]);
    }
  }
  ~Blocks() {
    for (int i = 0; i < 5; ++i) {
      const auto* bytes = static_cast<const unsigned char*>(blocks[i]);
      expect(bytes[0] == i && bytes[kSizes[i] - 1] == i, "blocks keep their contents");
      numaheap::deallocate(blocks[i]);
    }
    numaheap::deallocate(numaheap::allocate(300));
    expect(numaheap::used_memory() < size_t{1} << 30, "the books are sane");
  }
};

Blocks* first = nullptr;

__attribute__((constructor(101))) void before_everything() {
  first = new (numaheap::allocate(sizeof(Blocks))) Blocks;
}
__attribute__((destructor(101))) void after_everything() {
  first->~Blocks();
  numaheap::deallocate(first);
}

Blocks global;
thread_local Blocks of_thread;

}  // namespace

extern "C" __attribute__((visibility("default"))) void use_library() {
  expect(of_thread.blocks[0] != nullptr, "thread-local blocks are there");
  const Blocks local;
  atexit([] { const Blocks at_exit; });
}

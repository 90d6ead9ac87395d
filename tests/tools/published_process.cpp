/// \file
/// A process to look at: it holds some memory, publishes it, says so, and waits until its input ends.

#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "numaheap/alloc.hpp"
#include "numaheap/stats/process_view.hpp"

int main(int argc, char** argv) {
  const bool to_be_seen = argc < 2 || std::strcmp(argv[1], "unseen") != 0;
  static char beside_the_heap[20 << 20];  // so that it is resident with more than is live
  std::memset(beside_the_heap, 1, sizeof beside_the_heap);
  void* held[100];
  for (void*& block : held) block = std::memset(numaheap::allocate(100'000), 1, 100'000);
  numaheap::deallocate(numaheap::allocate(112));  // a class that a test waits for
  // What is published is what a slow path found due: some are made until everything above is in it.
  for (int i = 0; i < 300; ++i) {
    for (int k = 0; k < 40; ++k) numaheap::deallocate(numaheap::allocate(5 << 20));
    usleep(1000);
  }
  if (to_be_seen && !numaheap::stats::ProcessView::open(getpid())) return 1;
  std::puts("ready");
  std::fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  for (void* block : held) numaheap::deallocate(block);
}

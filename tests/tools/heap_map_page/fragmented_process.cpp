/// \file
/// A process whose heap is fragmented: it fills some 60 MB, frees three quarters at random, says "ready", and at each
/// line of its input frees the rest, gives it back, and says so. It ends with its input.

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "numaheap/alloc.hpp"

int main() {
  std::mt19937 random(1);
  std::vector<void*> kept;
  std::vector<void*> phases[8];
  for (size_t phase = 0; phase < 8; ++phase) {  // sizes change as a server's data do
    for (int i = 0; i < 12'000; ++i) {
      const size_t size =
          random() % 400 == 0 ? 100'000 : (size_t{40} << phase % 4) + random() % 600;
      phases[phase].push_back(std::memset(numaheap::allocate(size), 1, size));
    }
  }
  for (unsigned phase = 0; phase < 8; ++phase) {  // and some of them live longer than others
    for (void* block : phases[phase]) {
      if (random() % 16 < phase) {
        kept.push_back(block);
      } else {
        numaheap::deallocate(block);
      }
    }
  }
  numaheap::trim();
  // The thread that publishes is started by a slow path, a tenth of a second after the first one at the latest.
  for (int i = 0; i < 30; ++i) {
    usleep(10'000);
    for (int k = 0; k < 40; ++k) numaheap::deallocate(numaheap::allocate(5 << 20));
  }
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() == '\n') {
    for (void* block : kept) numaheap::deallocate(block);
    kept.clear();
    numaheap::trim();
    while (numaheap::purge(numaheap::MiB(64)).purged.value != 0) {
    }
    std::puts("empty");
    std::fflush(stdout);
  }
}

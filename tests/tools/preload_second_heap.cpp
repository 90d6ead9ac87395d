// Linked with the heap and run under the preload object: two heaps in one process, neither in the way of the other.
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "numaheap/alloc.hpp"

namespace {

bool use_both() {
  bool good = true;
  for (size_t size : {8u, 100u, 5000u, 40000u, 5u << 20}) {
    for (int i = 0; i < 50; ++i) {
      void* linked = numaheap::allocate(size);
      void* preloaded = malloc(size);
      if (linked == nullptr || preloaded == nullptr) return false;
      memset(linked, 1, size);
      memset(preloaded, 2, size);
      good = good && numaheap::owns(linked) && !numaheap::owns(preloaded);
      good = good && *static_cast<char*>(linked) == 1;
      numaheap::deallocate(linked);
      free(preloaded);
    }
  }
  return good;
}

}  // namespace

int main() {
  bool good[4] = {};
  std::vector<std::thread> threads;
  for (bool& each : good) threads.emplace_back([&each] { each = use_both(); });
  for (std::thread& thread : threads) thread.join();
  const pid_t child = fork();
  if (child == 0) _exit(use_both() ? 0 : 1);
  int status = 1;
  if (waitpid(child, &status, 0) != child || status != 0) return 2;
  return use_both() && good[0] && good[1] && good[2] && good[3] ? 0 : 1;
}

// What valgrind_test runs under memcheck: a program of one thread and then four, without a mistake or with one.
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "numaheap/alloc.hpp"

namespace {

using namespace numaheap;

constexpr size_t kSizes[] = {8, 100, 5000, 40000, 100000, size_t{5} << 20};

/// Blocks of all tiers, used from end to end, half of them resized.
std::vector<void*> take_some() {
  std::vector<void*> blocks;
  for (size_t size : kSizes) {
    for (void* block : {allocate(size), allocate_zeroed(size), allocate_aligned(4096, size)}) {
      memset(block, 7, size);
      blocks.push_back(block);
    }
    blocks.back() = reallocate(blocks.back(), size + size / 2);
  }
  return blocks;
}

void free_all(const std::vector<void*>& blocks) {
  for (void* block : blocks) deallocate(block);
}

void make_no_mistake() {
  for (int round = 0; round < 3; ++round) free_all(take_some());
  std::vector<void*> of_another;
  std::thread([&] { of_another = take_some(); }).join();
  free_all(of_another);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([] { free_all(take_some()); });
  for (std::thread& thread : threads) thread.join();
  int zeros = 0;
  auto* block = static_cast<char*>(allocate_zeroed(5000));
  for (int i = 0; i < 5000; ++i) zeros += block[i] == 0;
  deallocate(block);
  purge(GiB(1));
  printf("%d zeros\n", zeros);
}

volatile char g_sink;

void use_after_free(size_t size) {
  auto* block = static_cast<volatile char*>(allocate(size));
  block[size / 2] = 1;
  deallocate(const_cast<char*>(block));
  g_sink = block[size / 2];
}

void leak() {
  for (int i = 0; i < 10; ++i) memset(allocate(3000), 1, 3000);
  memset(allocate(size_t{5} << 20), 1, 100);
}

void use_what_was_never_set() {
  auto* block = static_cast<char*>(allocate(100));
  if (block[50] == 3) puts("three");
  deallocate(block);
}

}  // namespace

int main(int count, char** arguments) {
  const char* what = count == 2 ? arguments[1] : "";
  deallocate(allocate(100));
  if (strcmp(what, "no_mistake") == 0) {
    make_no_mistake();
  } else if (strcmp(what, "use_after_free") == 0) {
    use_after_free(100);
  } else if (strcmp(what, "use_after_free_of_a_large_one") == 0) {
    use_after_free(size_t{5} << 20);
  } else if (strcmp(what, "leak") == 0) {
    leak();
  } else if (strcmp(what, "use_what_was_never_set") == 0) {
    use_what_was_never_set();
  } else {
    return 2;
  }
  return 0;
}

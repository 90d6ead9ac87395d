/// \file
/// Question: what does accounting cost? Two builds of the library, one with NUMAHEAP_ACCOUNTING=OFF, are loaded into one
/// process and take turns in slices of a few milliseconds, so that both meet the same machine.
///
///   nh_accounting_cost --with FILE --without FILE [--slices N]     N times A B B A: median CPU ns of each, and ratios
///   nh_accounting_cost --count FILE --operations N                 N operations on one of them, for callgrind to count
///
/// Prints one line of JSON. The workload is a live set of mixed small sizes replaced at random, and now and then a burst
/// of blocks that no cache can hold, so that the slow paths, which do the counting, have a share. The i-th slice does the
/// same work on both. The libraries' TLS is more than glibc keeps for dlopen(3) by default: run it with
/// GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384.

#include <dlfcn.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr unsigned kLive = 1000;
constexpr uint64_t kSliceOperations = 200'000;
constexpr unsigned kWarmUpSlices = 20;
constexpr uint64_t kBurstEvery = 20'000;  // operations
constexpr unsigned kBurst = 4096;         // blocks: twice what a thread's cache holds of a class

[[noreturn]] void fail(const char* what, const char* detail) {
  std::fprintf(stderr, "nh_accounting_cost: %s: %s\n", what, detail);
  std::exit(2);
}

/// One build of the library and a live set of its blocks.
class Library {
 public:
  explicit Library(const char* file) {
    void* handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) fail("cannot load the library", dlerror());
    allocate_ = find<void* (*)(size_t)>(handle, "nh_malloc");
    free_ = find<void (*)(void*)>(handle, "nh_free");
    for (void*& block : live_) block = allocate(next_size());
  }

  void run(uint64_t operations) {
    for (uint64_t i = 0; i < operations; ++i) {
      void*& block = live_[(next() >> 32) * kLive >> 32];
      free_(block);
      block = allocate(next_size());
      if (++done_ % kBurstEvery == 0) i += burst();
    }
  }

 private:
  template <class Function>
  static Function find(void* handle, const char* name) {
    void* symbol = dlsym(handle, name);
    if (symbol == nullptr) fail("the library lacks a function", name);
    return reinterpret_cast<Function>(symbol);
  }
  uint64_t burst() {
    const size_t size = next_size();
    for (void*& block : burst_) block = allocate(size);
    for (void* block : burst_) free_(block);
    return burst_.size();
  }
  void* allocate(size_t size) {
    void* block = allocate_(size);
    if (block == nullptr) fail("out of memory in", "nh_malloc");
    *static_cast<volatile char*>(block) = 1;
    return block;
  }
  uint64_t next() {
    random_ ^= random_ >> 12;
    random_ ^= random_ << 25;
    random_ ^= random_ >> 27;
    return random_ * 0x2545F4914F6CDD1Du;
  }
  size_t next_size() { return 16 + ((next() >> 32) * 1009 >> 32); }

  void* (*allocate_)(size_t);
  void (*free_)(void*);
  std::vector<void*> live_ = std::vector<void*>(kLive);
  std::vector<void*> burst_ = std::vector<void*>(kBurst);
  uint64_t done_ = 0;
  uint64_t random_ = 88172645463325252u;
};

double cpu_ns() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double slice_ns(Library& library) {
  const double start = cpu_ns();
  library.run(kSliceOperations);
  return (cpu_ns() - start) / static_cast<double>(kSliceOperations);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void compare(const char* with_file, const char* without_file, unsigned slices) {
  Library with(with_file);
  Library without(without_file);
  for (unsigned i = 0; i < kWarmUpSlices; ++i) {
    with.run(kSliceOperations);
    without.run(kSliceOperations);
  }
  std::vector<double> with_ns;
  std::vector<double> without_ns;
  std::vector<double> ratios;
  for (unsigned i = 0; i < slices; ++i) {
    // A B B A: each runs once after itself and once after the other, which emptied the CPU's caches.
    const double first_with = slice_ns(with);
    const double first_without = slice_ns(without);
    const double second_without = slice_ns(without);
    const double second_with = slice_ns(with);
    with_ns.push_back((first_with + second_with) / 2);
    without_ns.push_back((first_without + second_without) / 2);
    ratios.push_back(with_ns.back() / without_ns.back());
  }
  std::printf("{\"with_ns\": %.4f, \"without_ns\": %.4f, \"ratios\": [", median(with_ns),
              median(without_ns));
  for (unsigned i = 0; i < slices; ++i) std::printf("%s%.5f", i == 0 ? "" : ", ", ratios[i]);
  std::puts("]}");
}

uint64_t number(const char* name, const char* text) {
  char* end = nullptr;
  const uint64_t value = std::strtoull(text, &end, 10);
  if (*end != 0 || *text == '-' || value == 0) fail(name, "takes a number of at least 1");
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  const char* with = nullptr;
  const char* without = nullptr;
  const char* count = nullptr;
  uint64_t slices = 200;
  uint64_t operations = 0;
  for (int i = 1; i < argc; i += 2) {
    const auto is = [&](const char* name) { return std::strcmp(argv[i], name) == 0; };
    if (i + 1 == argc) fail("a value is missing after, or unknown", argv[i]);
    if (is("--with")) {
      with = argv[i + 1];
    } else if (is("--without")) {
      without = argv[i + 1];
    } else if (is("--count")) {
      count = argv[i + 1];
    } else if (is("--slices")) {
      slices = number("--slices", argv[i + 1]);
    } else if (is("--operations")) {
      operations = number("--operations", argv[i + 1]);
    } else {
      fail("unknown option", argv[i]);
    }
  }
  if (count != nullptr && operations != 0) {
    Library(count).run(operations);
    std::printf("{\"operations\": %llu}\n", static_cast<unsigned long long>(operations));
  } else if (with != nullptr && without != nullptr) {
    compare(with, without, static_cast<unsigned>(slices));
  } else {
    fail("give --with FILE --without FILE", "or --count FILE --operations N");
  }
}

/// \file
/// NUMAHEAP_BACKEND=system under preload: the malloc that the program would have without us, which is the next one in
/// the loader's search order (glibc's, or another allocator's that the program links).

#include "alloc/system_backend.hpp"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>

#include "message.hpp"

namespace numaheap::alloc::system {
namespace {

/// A function of the next malloc, looked up at its first call. dlsym allocates nothing where the name is found.
template <class Function>
class Next {
 public:
  explicit constexpr Next(const char* name) : name_(name) {}

  Function* get() {
    Function* function =
        known_.load(std::memory_order_relaxed);  // relaxed: all who look find the same
    return __builtin_expect(function != nullptr, 1) ? function : find();
  }

 private:
  Function* find() {
    auto* function = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name_));
    if (function == nullptr) {
      preload::print_line("setting: NUMAHEAP_BACKEND=system: the program has no %s", name_);
      abort();
    }
    known_.store(function, std::memory_order_relaxed);
    return function;
  }

  const char* name_;
  std::atomic<Function*> known_{nullptr};
};

constinit Next<void*(size_t)> g_malloc("malloc");
constinit Next<void*(size_t, size_t)> g_calloc("calloc");
constinit Next<void*(void*, size_t)> g_realloc("realloc");
constinit Next<void(void*)> g_free("free");
constinit Next<int(void**, size_t, size_t)> g_posix_memalign("posix_memalign");
constinit Next<size_t(void*)> g_usable_size("malloc_usable_size");

}  // namespace

void* allocate(size_t bytes, size_t alignment, bool zero) noexcept {
  if (alignment <= alignof(max_align_t))
    return zero ? g_calloc.get()(1, bytes) : g_malloc.get()(bytes);
  void* block = nullptr;
  if (g_posix_memalign.get()(&block, alignment, bytes) != 0) return nullptr;
  if (zero) memset(block, 0, bytes);
  return block;
}

void deallocate(void* block) noexcept { g_free.get()(block); }

void* reallocate(void* block, size_t bytes) noexcept {
  return g_realloc.get()(block, bytes != 0 ? bytes : 1);
}

size_t usable_size(const void* block) noexcept {
  return g_usable_size.get()(const_cast<void*>(block));
}

}  // namespace numaheap::alloc::system

#include "numaheap/zmalloc.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "numaheap/alloc.hpp"
#include "numaheap/detail/fast_path.hpp"
#include "numaheap/limits.hpp"
#include "zmalloc_oom.hpp"

namespace numaheap {
namespace {

using OomHandler = void (*)(size_t);

constexpr size_t kCacheLine = 64;

void write_and_abort(size_t size) {
  char text[96];
  const int length = std::snprintf(text, sizeof text,
                                   "zmalloc: Out of memory trying to allocate %zu bytes\n", size);
  // The result does not matter: the next line aborts whether or not the text was written.
  if (write(STDERR_FILENO, text, static_cast<size_t>(length)) < 0) errno = ENOMEM;
  std::abort();
}

constinit std::atomic<OomHandler> oom_handler{write_and_abort};

void* refused() {
  errno = ENOMEM;
  return nullptr;
}

/// Size 0 is served as a long, also by a back end whose malloc(0) has no bytes.
size_t served(size_t size) { return size != 0 ? size : sizeof(long); }

/// A block of the calling thread's cache, or nullptr: what most calls need, without a call of their own.
void* cached_or_null(size_t size) {
  if (size > detail::kMaxSmall) return nullptr;
  const detail::SizeClass size_class = detail::nh_class_table_abi1[(size + 7) >> 3];
  return detail::pop_or(size_class, []() noexcept -> void* { return nullptr; });
}

void* allocate_or_null(size_t size) {
  return size < kRefusedSize ? allocate(served(size)) : refused();
}
void* zeroed_or_null(size_t size) {
  return size < kRefusedSize ? allocate_zeroed(served(size)) : refused();
}

/// \pre  a null block, or size > 0: who frees by size 0 has done so.
void* resized_or_null(void* block, size_t size) {
  return size < kRefusedSize ? reallocate(block, served(size)) : refused();
}

void* or_oom(void* block, size_t size) {
  return __builtin_expect(block != nullptr, 1) ? block : out_of_memory(size);
}

// Not inlined: the fast paths above them then need no stack frame.
[[gnu::noinline]] void* zmalloc_slow(size_t size) { return or_oom(allocate_or_null(size), size); }
[[gnu::noinline]] void* ztrymalloc_slow(size_t size) {
  WithoutReclaim guard;
  return allocate_or_null(size);
}

void* with_usable(void* block, size_t* usable) {
  if (usable != nullptr) *usable = usable_size(block);
  return block;
}

bool frees(const void* block, size_t size) { return size == 0 && block != nullptr; }

void* freed(void* block) {
  deallocate(block);
  return nullptr;
}

void* resize_or_oom(void* block, size_t size) {
  return frees(block, size) ? freed(block) : or_oom(resized_or_null(block, size), size);
}

void* try_resize(void* block, size_t size) {
  if (frees(block, size)) return freed(block);
  WithoutReclaim guard;
  return resized_or_null(block, size);
}

void store_usable(const void* block, size_t* usable) {
  if (usable != nullptr) *usable = usable_size(block);
}

}  // namespace

void* out_of_memory(size_t size) noexcept {
  // acquire: pairs with the release in zmalloc_set_oom_handler(), for what the handler reads.
  oom_handler.load(std::memory_order_acquire)(size);
  return nullptr;
}

}  // namespace numaheap

using namespace numaheap;

extern "C" {

void* zmalloc(size_t size) noexcept {
  void* cached = cached_or_null(size);
  return __builtin_expect(cached != nullptr, 1) ? cached : zmalloc_slow(size);
}
void* zcalloc(size_t size) noexcept { return or_oom(zeroed_or_null(size), size); }
void* zcalloc_num(size_t count, size_t size) noexcept {
  size_t total = 0;
  return __builtin_mul_overflow(count, size, &total) ? out_of_memory(SIZE_MAX) : zcalloc(total);
}

void* ztrymalloc(size_t size) noexcept {
  void* cached = cached_or_null(size);
  return __builtin_expect(cached != nullptr, 1) ? cached : ztrymalloc_slow(size);
}
void* ztrycalloc(size_t size) noexcept {
  WithoutReclaim guard;
  return zeroed_or_null(size);
}

void* zmalloc_usable(size_t size, size_t* usable) noexcept {
  return with_usable(zmalloc(size), usable);
}
void* zcalloc_usable(size_t size, size_t* usable) noexcept {
  return with_usable(zcalloc(size), usable);
}
void* ztrymalloc_usable(size_t size, size_t* usable) noexcept {
  return with_usable(ztrymalloc(size), usable);
}
void* ztrycalloc_usable(size_t size, size_t* usable) noexcept {
  return with_usable(ztrycalloc(size), usable);
}

char* zstrdup_usable(const char* text, size_t* usable) noexcept {
  const size_t bytes = std::strlen(text) + 1;
  void* copy = zmalloc_usable(bytes, usable);
  return static_cast<char*>(copy == nullptr ? nullptr : std::memcpy(copy, text, bytes));
}
char* zstrdup(const char* text) noexcept { return zstrdup_usable(text, nullptr); }

void* zmalloc_cache_aligned(size_t size) noexcept {
  return or_oom(size < kRefusedSize ? allocate_aligned(kCacheLine, size) : refused(), size);
}

void* zmalloc_no_tcache(size_t size) noexcept { return zmalloc(size); }
void zfree_no_tcache(void* block) noexcept { deallocate(block); }
void* allocatorDefragAlloc(size_t size) noexcept { return zmalloc(size); }
void allocatorDefragFree(void* block, size_t size) noexcept { zfree_with_size(block, size); }

void* zrealloc(void* block, size_t size) noexcept { return resize_or_oom(block, size); }
void* ztryrealloc(void* block, size_t size) noexcept { return try_resize(block, size); }
void* zrealloc_usable(void* block, size_t size, size_t* usable) noexcept {
  return with_usable(resize_or_oom(block, size), usable);
}
void* ztryrealloc_usable(void* block, size_t size, size_t* usable) noexcept {
  return with_usable(try_resize(block, size), usable);
}
NH_API void* nh_zrealloc_usable_with_old(void* block, size_t size, size_t* usable,
                                         size_t* old_usable) noexcept {
  store_usable(block, old_usable);
  return zrealloc_usable(block, size, usable);
}
NH_API void* nh_ztryrealloc_usable_with_old(void* block, size_t size, size_t* usable,
                                            size_t* old_usable) noexcept {
  store_usable(block, old_usable);
  return ztryrealloc_usable(block, size, usable);
}

void zfree(void* block) noexcept { deallocate(block); }
void zfree_usable(void* block, size_t* usable) noexcept {
  store_usable(block, usable);
  deallocate(block);
}
void zfree_with_size(void* block, size_t size) noexcept { deallocate(block, size, 1); }

size_t zmalloc_size(const void* block) noexcept { return usable_size(block); }
size_t zmalloc_usable_size(const void* block) noexcept { return usable_size(block); }
void* extend_to_usable(void* block, size_t) noexcept { return block; }

void zlibc_free(void* block) noexcept { std::free(block); }

void zmalloc_set_oom_handler(void (*handler)(size_t)) noexcept {
  // release: pairs with the acquire in out_of_memory().
  oom_handler.store(handler != nullptr ? handler : write_and_abort, std::memory_order_release);
}

}  // extern "C"

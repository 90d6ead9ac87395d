#include "jemalloc/boot.hpp"

#include <sys/types.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "jemalloc/private_jemalloc.hpp"
#include "numaheap/detail/size_class.hpp"

namespace {

std::atomic<const char*> g_last_message{nullptr};
char g_message_text[160];

void keep_message(void* /*context*/, const char* text) {
  strncpy(g_message_text, text, sizeof g_message_text - 1);
  // release: pairs with the acquire in last_message(); publishes the text. Two at once may mix: it is for a person.
  g_last_message.store(g_message_text, std::memory_order_release);
}

}  // namespace

extern "C" {
// retain is off, as our own ExtentPool keeps free extents; no automatic caches, as ours stand in front; one automatic
// arena, which nothing uses. Overrides the weak symbol of the private object.
const char* nh_je_malloc_conf =
    "narenas:1,tcache:false,retain:false,muzzy_decay_ms:0,background_thread:false";

// What jemalloc calls in place of secure_getenv(3) and readlink(2): MALLOC_CONF and /etc/malloc.conf are meant for the
// host's jemalloc.
char* nh_je_secure_getenv(const char* name);
char* nh_je_secure_getenv(const char* /*name*/) { return nullptr; }
ssize_t nh_je_readlink(const char* path, char* buffer, size_t size);
ssize_t nh_je_readlink(const char* /*path*/, char* /*buffer*/, size_t /*size*/) {
  errno = ENOENT;
  return -1;
}
}

namespace numaheap::alloc::jemalloc {

bool boot() noexcept {
  // Otherwise blocks from 16 KiB on start somewhere in a page and take a page more than their size.
  nh_je_opt_cache_oblivious = false;
  nh_je_malloc_message = keep_message;
  for (unsigned c = detail::kFirstClass; c < detail::kClassCount; ++c) {
    if (nh_je_nallocx(detail::kClassSizes[c], 0) != detail::kClassSizes[c]) return false;
  }
  return true;
}

void enter_thread() noexcept { (void)nh_je_nallocx(1, 0); }

const char* last_message() noexcept {
  return g_last_message.load(
      std::memory_order_acquire);  // acquire: pairs with the release in keep_message()
}

}  // namespace numaheap::alloc::jemalloc

#include "jemalloc/boot.hpp"

#include <sys/types.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "jemalloc/private_jemalloc.hpp"
#include "numaheap/detail/size_class.hpp"
#include "report.hpp"

namespace {

/// What jemalloc would print: a mapping that the kernel refuses to change, or what it aborts for.
void report_message(void* /*context*/, const char* text) {
  char line[160];
  const size_t length = strcspn(text, "\n");
  snprintf(line, sizeof line, "%.*s", static_cast<int>(length), text);
  if (length != 0) numaheap::alloc::report_copy(numaheap::ReportKind::kOutOfMemory, line);
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
  nh_je_malloc_message = report_message;
  for (unsigned c = detail::kFirstClass; c < detail::kClassCount; ++c) {
    if (nh_je_nallocx(detail::kClassSizes[c], 0) != detail::kClassSizes[c]) return false;
  }
  return true;
}

void enter_thread() noexcept { (void)nh_je_nallocx(1, 0); }

}  // namespace numaheap::alloc::jemalloc

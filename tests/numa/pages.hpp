/// \file
/// Pages: some small pages of a test's own, none of them touched yet.

#pragma once

#include <sys/mman.h>

#include <cstddef>

namespace numaheap::tests {

inline constexpr size_t kPage = 4096;

class Pages {
 public:
  explicit Pages(size_t count) : bytes_(count * kPage) {
    start_ = static_cast<char*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    madvise(start_, bytes_, MADV_NOHUGEPAGE);
  }
  ~Pages() { munmap(start_, bytes_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  char* operator[](size_t page) { return start_ + page * kPage; }

 private:
  size_t bytes_;
  char* start_;
};

}  // namespace numaheap::tests

#include "kernel_file.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace numaheap::numa {

Path& Path::add(const char* text) noexcept {
  for (; *text != 0; ++text) {
    if (length_ + 1 == sizeof text_) {
      fits_ = false;
      break;
    }
    text_[length_++] = *text;
  }
  return *this;
}

Path& Path::add(unsigned number) noexcept {
  char digits[12] = {};
  char* digit = digits + sizeof digits - 1;
  do {
    *--digit = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  return add(digit);
}

KernelFile::KernelFile(const char* path) noexcept
    : descriptor_(static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC))) {}

KernelFile::~KernelFile() {
  if (is_open()) syscall(SYS_close, descriptor_);
}

int KernelFile::next() noexcept {
  if (used_ == filled_) {
    if (!is_open()) return kEnd;
    long got = 0;
    do {
      got = syscall(SYS_read, descriptor_, buffer_, sizeof buffer_);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) return kEnd;
    used_ = 0;
    filled_ = static_cast<size_t>(got);
  }
  return static_cast<unsigned char>(buffer_[used_++]);
}

bool KernelFile::seek_line(const char* key) noexcept {
  const char* rest = key;  // nullptr: this line is another one
  for (int c = next(); c != kEnd; c = next()) {
    if (c == '\n') {
      rest = key;
    } else if (rest != nullptr) {
      rest = *rest == c ? rest + 1 : nullptr;
      if (rest == nullptr || *rest != 0) continue;
      do {
        c = next();
      } while (c == ' ' || c == '\t');
      if (c != kEnd) --used_;  // always there: it came from this buffer
      return true;
    }
  }
  return false;
}

bool KernelFile::next_number(unsigned& number) noexcept {
  int c = next();
  while (c == ' ' || c == '\t') c = next();
  if (c < '0' || c > '9') return false;
  constexpr unsigned kLimit = 1'000'000'000;
  for (number = 0; c >= '0' && c <= '9'; c = next()) {
    if (number >= kLimit / 10) return false;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  if (c != kEnd) --used_;
  return c == kEnd || c == ' ' || c == '\n';
}

}  // namespace numaheap::numa

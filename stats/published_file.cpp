#include "numaheap/stats/published_file.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "numaheap/base/check.hpp"

namespace numaheap::stats {

namespace {

/// Beyond what programs that close or count "all" their files usually reach for.
constexpr int kLowestFile = 100;

Error refused(const char* text) {
  const int error = errno;
  const ErrorCode code = error == ENOMEM || error == ENOSPC  ? ErrorCode::kNoMemory
                         : error == EPERM || error == EACCES ? ErrorCode::kNotPermitted
                                                             : ErrorCode::kSystem;
  return {code, error, text};
}

unsigned long inode_of(int file) {
  struct stat about {};
  return fstat(file, &about) == 0 ? about.st_ino : 0;
}

}  // namespace

Status PublishedFile::open(const char* name, size_t bytes) noexcept {
  NH_ASSERT(!is_open());
  const int low = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (low < 0) return refused("memfd_create(2) failed");
  int file = fcntl(low, F_DUPFD_CLOEXEC, kLowestFile);
  if (file < 0) {
    file = low;  // RLIMIT_NOFILE is that low
  } else {
    ::close(low);
  }
  void* memory = MAP_FAILED;
  if (ftruncate(file, static_cast<off_t>(bytes)) == 0) {
    // A reader's mapping of it must not lose its pages.
    (void)fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  if (memory == MAP_FAILED || madvise(memory, bytes, MADV_DONTFORK) != 0) {
    const Error error = refused("there is no memory for what is published");
    if (memory != MAP_FAILED) munmap(memory, bytes);
    ::close(file);
    return error;
  }
  file_ = file;
  inode_ = inode_of(file);
  bytes_ = bytes;
  memory_ = static_cast<char*>(memory);
  return numaheap::Unit{};
}

void PublishedFile::close() noexcept {
  if (!is_open()) return;
  munmap(memory_, bytes_);
  after_fork_in_child();
}

void PublishedFile::after_fork_in_child() noexcept {
  if (file_ >= 0 && inode_of(file_) == inode_) ::close(file_);
  file_ = -1;
  memory_ = nullptr;
}

}  // namespace numaheap::stats

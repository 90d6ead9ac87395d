/// \file
/// PublishedFile: a memfd of a fixed size that other processes find as /proc/PID/fd/N, by its name.
///
/// Whether they may open it is the kernel's ptrace check. A forked child does not inherit the mapping and closes the
/// file, so it never shows its parent's figures as its own.

#pragma once

#include <cstddef>

#include "numaheap/base/api.h"
#include "numaheap/base/result.hpp"

namespace numaheap::stats {

class PublishedFile {
 public:
  constexpr PublishedFile() = default;
  PublishedFile(const PublishedFile&) = delete;
  PublishedFile& operator=(const PublishedFile&) = delete;

  /// Makes and maps it, all zeros; backed as far as it is used.
  /// \pre it is not open.
  /// \returns kNoMemory, kNotPermitted or kSystem with errno; calling it again tries again.
  NH_API Status open(const char* name, size_t bytes) noexcept;
  [[nodiscard]] bool is_open() const noexcept { return memory_ != nullptr; }
  /// \pre is_open().
  [[nodiscard]] char* memory() const noexcept { return memory_; }

  NH_API void close() noexcept;
  /// In a forked child, where the mapping is gone already: async-signal-safe.
  NH_API void after_fork_in_child() noexcept;

 private:
  char* memory_ = nullptr;
  size_t bytes_ = 0;
  int file_ = -1;
  unsigned long inode_ =
      0;  ///< A program that closes all files may have given the number to another.
};

}  // namespace numaheap::stats

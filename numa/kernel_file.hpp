/// \file
/// KernelFile: a text file of the kernel (sysfs, procfs), read through a small buffer by raw system
/// calls.
///
/// Raw, since open(2) and read(2) are often interposed by preloaded objects that allocate, and this
/// runs inside the first malloc. Nothing here allocates; errno is the caller's to keep (KeepErrno).

#pragma once

#include <cerrno>
#include <cstddef>

#include "id_list.hpp"

namespace numaheap::numa {

/// malloc(3) leaves errno alone when it succeeds: so does everything that it reaches.
class KeepErrno {
 public:
  KeepErrno() noexcept : saved_(errno) {}
  ~KeepErrno() { errno = saved_; }
  KeepErrno(const KeepErrno&) = delete;
  KeepErrno& operator=(const KeepErrno&) = delete;

 private:
  int saved_;
};

/// A path made of pieces: Path(dir).add("/node").add(3). One that is too long is empty, and opening
/// it fails.
class Path {
 public:
  explicit Path(const char* directory) noexcept { add(directory); }
  Path& add(const char* text) noexcept;
  Path& add(unsigned number) noexcept;
  [[nodiscard]] const char* c_str() const noexcept { return fits_ ? text_ : ""; }

 private:
  char text_[256] = {};
  size_t length_ = 0;
  bool fits_ = true;
};

class KernelFile {
 public:
  static constexpr int kEnd = -1;

  explicit KernelFile(const char* path) noexcept;
  ~KernelFile();
  KernelFile(const KernelFile&) = delete;
  KernelFile& operator=(const KernelFile&) = delete;

  [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
  /// The next character, or kEnd at the end, on an error and if the file is not open.
  int next() noexcept;
  /// Skips to what follows `key` at the start of a line, and the blanks after it.
  bool seek_line(const char* key) noexcept;
  /// The next unsigned number after blanks. \returns false at the end of the line or if there is
  /// none.
  bool next_number(unsigned& number) noexcept;

 private:
  int descriptor_;
  size_t used_ = 0;
  size_t filled_ = 0;
  char buffer_[512];
};

/// Feeds the rest of the line to insert(id). \returns false if it is not a list of ids below
/// `limit`.
template <class Insert>
bool read_id_list(KernelFile& file, unsigned limit, Insert insert) noexcept {
  if (!file.is_open()) return false;
  IdListParser parser(limit, insert);
  for (int c = file.next(); c != KernelFile::kEnd; c = file.next()) {
    if (!parser.feed(static_cast<char>(c))) return false;
    if (c == '\n') break;
  }
  return parser.finish();
}

}  // namespace numaheap::numa

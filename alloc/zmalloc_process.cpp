// zmalloc's figures of the process, from /proc, and its advice to the kernel. Nothing here allocates.

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>

#include "numaheap/alloc.hpp"
#include "numaheap/zmalloc.h"

namespace numaheap {
namespace {

/// A file of /proc, read line by line through a buffer of its own.
class ProcFile {
 public:
  explicit ProcFile(const char* path) noexcept : descriptor_(open(path, O_RDONLY | O_CLOEXEC)) {}
  ~ProcFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  ProcFile(const ProcFile&) = delete;
  ProcFile& operator=(const ProcFile&) = delete;

  /// The next line without its end, valid until the next call. Lines beyond the buffer (4 KiB) come in pieces.
  std::optional<std::string_view> next_line() noexcept {
    while (true) {
      const std::string_view rest(buffer_ + begin_, end_ - begin_);
      const size_t newline = rest.find('\n');
      if (newline != rest.npos) {
        begin_ += newline + 1;
        return rest.substr(0, newline);
      }
      if (rest.size() == sizeof buffer_ || !fill()) {
        begin_ = end_;
        if (rest.empty()) return std::nullopt;
        return rest;
      }
    }
  }

 private:
  /// Moves what is left to the front and reads behind it. \returns false at the end of the file.
  bool fill() noexcept {
    const size_t left = end_ - begin_;
    if (begin_ != 0) std::memmove(buffer_, buffer_ + begin_, left);
    begin_ = 0;
    end_ = left;
    const ssize_t n =
        descriptor_ < 0 ? 0 : read(descriptor_, buffer_ + end_, sizeof buffer_ - end_);
    if (n <= 0) return false;
    end_ += static_cast<size_t>(n);
    return true;
  }

  int descriptor_;
  size_t begin_ = 0;
  size_t end_ = 0;
  char buffer_[4096];
};

template <class Number>
std::optional<Number> leading_number(std::string_view text) noexcept {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

/// Sums the lines "Field:   123 kB" of a file.
/// \returns nothing if no line has the field.
std::optional<size_t> sum_field(const char* path, std::string_view field) noexcept {
  ProcFile file(path);
  std::optional<size_t> sum;
  while (const std::optional<std::string_view> line = file.next_line()) {
    if (!line->starts_with(field)) continue;
    std::string_view value = line->substr(field.size());
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    if (!value.ends_with(" kB")) continue;
    if (const auto kib = leading_number<size_t>(value)) sum = sum.value_or(0) + *kib * 1024;
  }
  return sum;
}

/// Drops the whole pages inside [start, start + size).
void drop_pages(void* start, size_t size) noexcept {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(start) + page - 1) & ~(page - 1);
  const uintptr_t end = (reinterpret_cast<uintptr_t>(start) + size) & ~(page - 1);
  // Advice: where the kernel refuses (locked pages), the pages stay as they are.
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace
}  // namespace numaheap

using namespace numaheap;

extern "C" {

int get_proc_stat_ll(int index, long long* value) noexcept {
  ProcFile file("/proc/self/stat");
  const std::optional<std::string_view> line = file.next_line();
  // The second field is the program's name in parentheses, which may hold blanks and parentheses of its own.
  const size_t name_end = line ? line->rfind(')') : std::string_view::npos;
  if (name_end == std::string_view::npos || index < 3) return 0;
  std::string_view fields = line->substr(name_end + 1);
  for (int field = 2; field < index; ++field) {
    const size_t blank = fields.find(' ');
    if (blank == fields.npos) return 0;
    fields.remove_prefix(blank + 1);
  }
  const std::string_view text = fields.substr(0, fields.find(' '));
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

size_t zmalloc_get_rss(void) noexcept {
  constexpr int kResidentPages = 24;
  long long pages = 0;
  if (get_proc_stat_ll(kResidentPages, &pages) == 0 || pages < 0) return 0;
  return static_cast<size_t>(pages) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

size_t zmalloc_get_smap_bytes_by_field(const char* field, long pid) noexcept {
  // The kernel sums most fields itself in smaps_rollup, without a page of text per mapping.
  for (const char* file : {"smaps_rollup", "smaps"}) {
    char path[64];
    if (pid == -1) {
      std::snprintf(path, sizeof path, "/proc/self/%s", file);
    } else {
      std::snprintf(path, sizeof path, "/proc/%ld/%s", pid, file);
    }
    if (const std::optional<size_t> sum = sum_field(path, field)) return *sum;
  }
  return 0;
}

size_t zmalloc_get_private_dirty(long pid) noexcept {
  return zmalloc_get_smap_bytes_by_field("Private_Dirty:", pid);
}

size_t zmalloc_get_memory_size(void) noexcept {
  const long pages = sysconf(_SC_PHYS_PAGES);
  return pages < 0 ? 0 : static_cast<size_t>(pages) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

void zmadvise_dontneed(void* block) noexcept {
  if (block != nullptr) drop_pages(block, usable_size(block));
}
NH_API void nh_zmadvise_dontneed_hint(void* block, size_t size_hint) noexcept {
  // A block has less than twice the bytes asked for; one that cannot span a page is left without a look-up.
  constexpr size_t kPage = 4096;
  if (size_hint == 0 || size_hint >= kPage / 2) zmadvise_dontneed(block);
}
void zmadvise_dontneed_range(void* start, size_t size) noexcept {
  if (start != nullptr) drop_pages(start, size);
}

void zlibc_trim(void) noexcept { malloc_trim(0); }

}  // extern "C"

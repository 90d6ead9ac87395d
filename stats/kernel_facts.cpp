#include "numaheap/stats/kernel_facts.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string_view>

namespace numaheap::stats {

namespace {

using std::string_view;
constexpr int64_t kNone = KernelFacts::kNotAvailable;

class File {
 public:
  File(const char* root, const char* path) noexcept {
    char whole[512];
    const int length = snprintf(whole, sizeof whole, "%s/%s", root, path);
    if (length > 0 && static_cast<size_t>(length) < sizeof whole)
      descriptor_ = open(whole, O_RDONLY | O_CLOEXEC);
  }
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// \returns 0 at the end, and if there is no file; -1 on an error.
  ssize_t read(char* to, size_t size) const noexcept {
    if (descriptor_ < 0) return 0;
    ssize_t got = 0;
    do {
      got = ::read(descriptor_, to, size);
    } while (got < 0 && errno == EINTR);
    return got;
  }

 private:
  int descriptor_ = -1;
};

/// The start of a file, as much as fits: more than those that are read here have to say.
class Text {
 public:
  Text(const char* root, const char* path) noexcept {
    const File file(root, path);
    for (ssize_t got = 0;
         length_ < sizeof text_ && (got = file.read(text_ + length_, sizeof text_ - length_)) > 0;)
      length_ += static_cast<size_t>(got);
  }
  [[nodiscard]] string_view get() const noexcept { return {text_, length_}; }

 private:
  char text_[8192];
  size_t length_ = 0;
};

string_view without_blanks(string_view text) noexcept {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\n'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// A number from 0 on, and nothing else.
int64_t number_in(string_view text) noexcept {
  text = without_blanks(text);
  int64_t number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  return error == std::errc{} && end == last && number >= 0 ? number : kNone;
}

/// "KEY:   12 kB" on a line of its own.
int64_t bytes_of(string_view text, string_view key) noexcept {
  while (!text.empty()) {
    string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.starts_with(key) || line.size() == key.size() || line[key.size()] != ':') continue;
    line = without_blanks(line.substr(key.size() + 1));
    if (!line.ends_with(" kB")) return kNone;
    int64_t bytes = 0;
    const int64_t kilobytes = number_in(line.substr(0, line.size() - 3));
    return kilobytes >= 0 && !__builtin_mul_overflow(kilobytes, 1024, &bytes) ? bytes : kNone;
  }
  return kNone;
}

/// How many ids "0-1,4" has.
int64_t size_of_list(string_view text) noexcept {
  text = without_blanks(text);
  int64_t size = 0;
  while (!text.empty()) {
    const string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const size_t dash = item.find('-');
    const int64_t first = number_in(item.substr(0, dash));
    const int64_t last = dash == string_view::npos ? first : number_in(item.substr(dash + 1));
    if (first < 0 || last < first || last - first > (1 << 20)) return kNone;
    size += last - first + 1;
  }
  return size == 0 ? kNone : size;
}

/// "always [madvise] never": the word in brackets.
KernelFacts::HugePages chosen_huge_pages(string_view text) noexcept {
  using HugePages = KernelFacts::HugePages;
  const size_t open = text.find('[');
  if (open == string_view::npos) return HugePages::kNotAvailable;
  const string_view word = text.substr(open + 1, text.substr(open + 1).find(']'));
  if (word == "never") return HugePages::kNever;
  if (word == "madvise") return HugePages::kMadvise;
  return word == "always" ? HugePages::kAlways : HugePages::kNotAvailable;
}

/// A process has mappings; where none are shown, they are hidden from us.
int64_t count_lines(const File& file) noexcept {
  char buffer[16384];
  int64_t lines = 0;
  for (;;) {
    const ssize_t got = file.read(buffer, sizeof buffer);
    if (got < 0) return kNone;
    if (got == 0) return lines == 0 ? kNone : lines;
    lines += std::count(buffer, buffer + got, '\n');
  }
}

}  // namespace

KernelFacts read_kernel_facts(FactsEffort effort, unsigned pid, const char* root) noexcept {
  char process[32] = "proc/self";
  if (pid != 0) snprintf(process, sizeof process, "proc/%u", pid);
  const auto of_process = [&](const char* name, auto read) {
    char path[64];
    snprintf(path, sizeof path, "%s/%s", process, name);
    return read(path);
  };
  KernelFacts facts;
  facts.most_maps = number_in(Text(root, "proc/sys/vm/max_map_count").get());
  facts.numa_balancing = number_in(Text(root, "proc/sys/kernel/numa_balancing").get());
  facts.memory_nodes = size_of_list(Text(root, "sys/devices/system/node/has_memory").get());
  facts.huge_pages =
      chosen_huge_pages(Text(root, "sys/kernel/mm/transparent_hugepage/enabled").get());
  facts.swapped_bytes = of_process(
      "status", [&](const char* path) { return bytes_of(Text(root, path).get(), "VmSwap"); });
  if (effort == FactsEffort::kCheap) return facts;
  facts.maps = of_process("maps", [&](const char* path) { return count_lines(File(root, path)); });
  facts.huge_bytes = of_process("smaps_rollup", [&](const char* path) {
    return bytes_of(Text(root, path).get(), "AnonHugePages");
  });
  return facts;
}

}  // namespace numaheap::stats

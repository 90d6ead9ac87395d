#include "children.hpp"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include <string_view>

namespace numaheap::preload {
namespace {

constexpr std::string_view kPrefix = "LD_PRELOAD=";
constexpr std::string_view kSeparators = ": ";  // as ld.so(8) takes them

std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

std::string_view own_file_name() {
  Dl_info info;
  // The address of something that the program cannot bring itself.
  if (dladdr(reinterpret_cast<void*>(&leave_environment_to_children), &info) == 0) return {};
  return file_name(info.dli_fname);
}

/// Takes the entries with this file name out of a list, in place. The text only becomes shorter.
void erase_entries(char* list, std::string_view name) {
  char* out = list;
  const char* in = list;
  while (*in != 0) {
    const size_t length = strcspn(in, kSeparators.data());
    if (length != 0 && file_name({in, length}) != name) {
      if (out != list) *out++ = ':';
      memmove(out, in, length);
      out += length;
    }
    in += length;
    if (*in != 0) ++in;
  }
  *out = 0;
}

}  // namespace

void leave_environment_to_children() noexcept {
  const std::string_view name = own_file_name();
  if (name.empty() || environ == nullptr) return;
  char** kept = environ;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::string_view(*entry).starts_with(kPrefix)) {
      char* const list = *entry + kPrefix.size();
      erase_entries(list, name);
      if (*list == 0) continue;  // an empty variable is not the same as none
    }
    *kept++ = *entry;
  }
  *kept = nullptr;
}

}  // namespace numaheap::preload

#include "preload_object.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

namespace numaheap::cli {

namespace fs = std::filesystem;

namespace {

constexpr const char* kObject = "libnumaheap_preload.so";

std::vector<fs::path> candidates() {
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  std::vector<fs::path> paths = {folder / kObject};
  for (const char* lib : {NUMAHEAP_LIBRARY_FOLDER, "../lib"}) {
    const fs::path path = (folder / lib / kObject).lexically_normal();
    if (path != paths.back()) paths.push_back(path);
  }
  return paths;
}

}  // namespace

std::optional<Refusal> find_preload_object(std::string& path) {
  std::error_code error;
  fs::path found;
  if (const char* named = std::getenv("NUMAHEAP_PRELOAD"); named != nullptr && *named != 0) {
    found = fs::canonical(named, error);
    if (error)
      return Refusal{kFailed, fmt::format("NUMAHEAP_PRELOAD = \"{}\": {}", named, error.message())};
  } else {
    std::string tried;
    for (const fs::path& candidate : candidates()) {
      found = fs::canonical(candidate, error);
      if (!error) break;
      tried += (tried.empty() ? "" : ", ") + candidate.string();
    }
    if (error) {
      return Refusal{kFailed,
                     fmt::format("there is no {}; looked for {}. NUMAHEAP_PRELOAD can name it",
                                 kObject, tried)};
    }
  }
  path = found;
  if (path.find_first_of(": \t\n") != std::string::npos) {
    return Refusal{
        kFailed,
        fmt::format("\"{}\" cannot stand in LD_PRELOAD, which is separated by blanks and colons",
                    path)};
  }
  return std::nullopt;
}

std::string preload_list(const std::string& object) {
  const char* before = std::getenv("LD_PRELOAD");
  if (before == nullptr || *before == 0 || object == before ||
      std::string(before).starts_with(object + ':')) {
    return before == nullptr || *before == 0 ? object : before;
  }
  return object + ':' + before;
}

}  // namespace numaheap::cli

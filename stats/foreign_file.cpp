#include "foreign_file.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

namespace numaheap::stats {

namespace {

constexpr char kMayNot[] =
    "the kernel does not let you look into this process (ptrace access check: another user's, or "
    "not dumpable)";

std::string proc_path(int pid, const char* rest) { return "/proc/" + std::to_string(pid) + rest; }

std::string link_of(const char* name) { return std::string("/memfd:") + name + " (deleted)"; }

/// The memfd among a process' open files. \returns its path; empty if there is none or it may not be seen.
std::string find_file(int pid, const char* name, int& error) {
  const std::string folder = proc_path(pid, "/fd");
  DIR* files = opendir(folder.c_str());
  if (files == nullptr) {
    error = errno;
    return {};
  }
  const std::string wanted = link_of(name);
  std::string found;
  while (const dirent* entry = readdir(files)) {
    const std::string path = folder + "/" + entry->d_name;
    char target[64];
    const ssize_t length = readlink(path.c_str(), target, sizeof target);
    if (length > 0 && wanted == std::string_view(target, static_cast<size_t>(length))) found = path;
  }
  closedir(files);
  return found;
}

/// Where it is mapped in a process that has closed its file. \returns 0 if it is not.
uint64_t find_mapping(int pid, const char* name) {
  std::ifstream maps(proc_path(pid, "/maps"));
  const std::string wanted = link_of(name);
  for (std::string line; std::getline(maps, line);) {
    if (line.ends_with(wanted)) return std::strtoull(line.c_str(), nullptr, 16);
  }
  return 0;
}

int open_for_most(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CLOEXEC);
  return file >= 0 ? file : open(path.c_str(), O_RDONLY | O_CLOEXEC);
}

}  // namespace

Result<ForeignFile> open_published(int pid, const char* name) {
  ForeignFile found;
  int error = 0;
  const std::string path = find_file(pid, name, error);
  if (!path.empty()) {
    found.file = open_for_most(path);
    if (found.file < 0) error = errno;
  } else if (error == 0) {
    found.at = find_mapping(pid, name);
    if (found.at == 0) return Error{ErrorCode::kNotFound, 0, "the process publishes nothing"};
    found.file = open_for_most(proc_path(pid, "/mem"));
    if (found.file < 0) error = errno;
  }
  if (found.file >= 0) return found;
  if (error == EACCES || error == EPERM) return Error{ErrorCode::kNotPermitted, error, kMayNot};
  return Error{ErrorCode::kNotFound, error, "the process has ended"};
}

std::chrono::nanoseconds monotonic_now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

long read_at(const ForeignFile& from, uint64_t offset, void* to, size_t size) {
  return pread(from.file, to, size, static_cast<off_t>(from.at + offset));
}

}  // namespace numaheap::stats

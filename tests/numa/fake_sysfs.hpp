/// \file
/// FakeSysfs: a folder that looks like /sys/devices/system/node, and a file like /proc/self/status, for one test.

#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace numaheap::tests {

class FakeSysfs {
 public:
  FakeSysfs() {
    std::string name = (std::filesystem::temp_directory_path() / "numaheap-sysfs-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    directory_ = name;
    std::filesystem::create_directory(directory_ / "node");
  }
  ~FakeSysfs() { std::filesystem::remove_all(directory_); }
  FakeSysfs(const FakeSysfs&) = delete;
  FakeSysfs& operator=(const FakeSysfs&) = delete;

  [[nodiscard]] std::string nodes() const { return directory_ / "node"; }
  [[nodiscard]] std::string status() const { return directory_ / "status"; }

  /// Writes a file below nodes(), such as "online" or "node0/distance".
  void write(const std::string& path, const std::string& text) {
    const auto file = directory_ / "node" / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void write_status(const std::string& text) { std::ofstream(directory_ / "status") << text; }

 private:
  std::filesystem::path directory_;
};

}  // namespace numaheap::tests

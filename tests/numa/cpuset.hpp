/// \file
/// Cpuset: a cgroup of our own that says which nodes and CPUs this process may use; in the virtual machines only.

#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace numaheap::tests {

/// This process is in it until the end of the scope, with all nodes and CPUs at first.
class Cpuset {
 public:
  Cpuset() {
    write("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset");
    mkdir(kPath, 0755);
    works_ = write(std::string(kPath) + "/cgroup.procs", "0");
  }
  ~Cpuset() {
    write("/sys/fs/cgroup/cgroup.procs", "0");
    rmdir(kPath);
  }
  Cpuset(const Cpuset&) = delete;
  Cpuset& operator=(const Cpuset&) = delete;

  [[nodiscard]] bool works() const { return works_; }
  bool set_memory_nodes(const std::string& list) {
    return write(std::string(kPath) + "/cpuset.mems", list);
  }
  bool set_cpus(const std::string& list) {
    return write(std::string(kPath) + "/cpuset.cpus", list);
  }

 private:
  static constexpr const char* kPath = "/sys/fs/cgroup/numaheap-test";
  static bool write(const std::string& file, const std::string& text) {
    std::ofstream out(file);
    out << text << std::flush;
    return out.good();
  }
  bool works_ = false;
};

}  // namespace numaheap::tests

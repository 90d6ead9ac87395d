/// \file
/// FakeEventSources: a root folder with the event sources, CPUs and nodes of one machine under it, for one test. The
/// units are written as Linux' drivers describe them for several CPUs.

#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace numaheap::tests {

class FakeEventSources {
 public:
  using Files = std::map<std::string, std::string>;  ///< Text by path.

  FakeEventSources() {
    std::string name = (std::filesystem::temp_directory_path() / "numaheap-root-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    root_ = name;
  }
  ~FakeEventSources() { std::filesystem::remove_all(root_); }
  FakeEventSources(const FakeEventSources&) = delete;
  FakeEventSources& operator=(const FakeEventSources&) = delete;

  [[nodiscard]] std::string root() const { return root_; }

  /// \param path  from the root on, such as "/proc/cpuinfo".
  void write(const std::string& path, const std::string& text) {
    const auto file = std::filesystem::path(root_.string() + path);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
  }
  void remove(const std::string& path) { std::filesystem::remove_all(root_.string() + path); }

  static std::string path_of(const std::string& unit) {
    return "/sys/bus/event_source/devices/" + unit;
  }
  /// \param cpus  empty: no cpumask.
  void add(const std::string& unit, const std::string& type, const std::string& cpus,
           const Files& files) {
    write(path_of(unit) + "/type", type);
    if (!cpus.empty()) write(path_of(unit) + "/cpumask", cpus);
    for (const auto& [path, text] : files) write(path_of(unit) + '/' + path, text);
  }

  /// A channel of the memory controller of Xeons from Sandy Bridge on (here with Skylake's encodings).
  void add_intel_channel(unsigned channel, const std::string& cpus, unsigned type) {
    add("uncore_imc_" + std::to_string(channel), std::to_string(type), cpus,
        {{"format/event", "config:0-7"},
         {"format/umask", "config:8-15"},
         {"format/edge", "config:18"},
         {"format/inv", "config:23"},
         {"format/thresh", "config:24-31"},
         {"events/clockticks", "event=0x00,umask=0x00"},
         {"events/cas_count_read", "event=0x04,umask=0x03"},
         {"events/cas_count_read.scale", "6.103515625e-5"},
         {"events/cas_count_read.unit", "MiB"},
         {"events/cas_count_write", "event=0x04,umask=0x0c"},
         {"events/cas_count_write.scale", "6.103515625e-5"},
         {"events/cas_count_write.unit", "MiB"}});
  }
  /// A free-running counter of Ice Lake's memory controller: nothing is programmed, it always counts.
  void add_intel_free_running(unsigned controller, const std::string& cpus, unsigned type) {
    add("uncore_imc_free_running_" + std::to_string(controller), std::to_string(type), cpus,
        {{"format/event", "config:0-7"},
         {"format/umask", "config:8-15"},
         {"events/dclk", "event=0xff,umask=0x10"},
         {"events/read", "event=0xff,umask=0x20"},
         {"events/read.scale", "6.103515625e-5"},
         {"events/read.unit", "MiB"},
         {"events/write", "event=0xff,umask=0x30"},
         {"events/write.scale", "6.103515625e-5"},
         {"events/write.unit", "MiB"}});
  }
  /// A memory controller of Zen 4 and 5: fields, but no named events.
  void add_amd_controller(unsigned controller, const std::string& cpus, unsigned type) {
    add("amd_umc_" + std::to_string(controller), std::to_string(type), cpus,
        {{"format/event", "config:0-7"}, {"format/rdwrmask", "config:8-9"}});
  }
  /// The data fabric of Zen 4 and 5.
  void add_amd_fabric_zen4(const std::string& cpus, unsigned type) {
    add("amd_df", std::to_string(type), cpus,
        {{"format/event", "config:0-7,32-37"}, {"format/umask", "config:8-15,24-27"}});
  }
  /// The data fabric of Zen 2 and 3.
  void add_amd_fabric_zen2(const std::string& cpus, unsigned type) {
    add("amd_df", std::to_string(type), cpus,
        {{"format/event", "config:0-7,32-35,59-60"}, {"format/umask", "config:8-15"}});
  }

  /// A node with its CPUs, all of one socket.
  void add_node(unsigned node, unsigned first_cpu, unsigned last_cpu, unsigned socket) {
    const bool has_cpus = last_cpu >= first_cpu;
    const std::string list = std::to_string(first_cpu) + '-' + std::to_string(last_cpu);
    write("/sys/devices/system/node/node" + std::to_string(node) + "/cpulist",
          has_cpus ? list : "");
    for (unsigned cpu = first_cpu; has_cpus && cpu <= last_cpu; ++cpu)
      write(cpu_path(cpu) + "/topology/physical_package_id", std::to_string(socket));
    if (!nodes_.empty()) nodes_ += ',';
    nodes_ += std::to_string(node);
    write("/sys/devices/system/node/online", nodes_);
    write("/sys/devices/system/node/has_memory", nodes_);
  }
  /// The last cache of some CPUs, as resctrl numbers it.
  void add_last_cache(unsigned id, unsigned first_cpu, unsigned last_cpu) {
    for (unsigned cpu = first_cpu; cpu <= last_cpu; ++cpu) {
      write(cpu_path(cpu) + "/cache/index3/level", "3");
      write(cpu_path(cpu) + "/cache/index3/id", std::to_string(id));
    }
  }

 private:
  static std::string cpu_path(unsigned cpu) {
    return "/sys/devices/system/cpu/cpu" + std::to_string(cpu);
  }

  std::filesystem::path root_;
  std::string nodes_;
};

}  // namespace numaheap::tests

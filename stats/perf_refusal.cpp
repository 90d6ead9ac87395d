#include <linux/perf_event.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>

#include "numaheap/stats/perf_kernel.hpp"

namespace numaheap::stats {

namespace {

constexpr int kForThreads =
    2;  // the highest kernel.perf_event_paranoid under which a thread may be counted
constexpr int kForCpus = 0;  // and a whole CPU

/// The rest of the line that starts with `key`.
std::optional<std::string> line_of(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return line.substr(key.size());
  }
  return std::nullopt;
}

template <class Number>
std::optional<Number> number_in(const std::optional<std::string>& text, int base) {
  if (!text) return std::nullopt;
  const size_t start = text->find_first_not_of(" \t");
  if (start == std::string::npos) return std::nullopt;
  Number number{};
  const char* const end = text->data() + text->size();
  return std::from_chars(text->data() + start, end, number, base).ec == std::errc()
             ? std::optional(number)
             : std::nullopt;
}

bool is_of_kernel(const PerfEvent& event) {
  return event.type == PERF_TYPE_SOFTWARE || event.type == PERF_TYPE_TRACEPOINT;
}

std::string no_such_event(const PerfEvent& event, const PerfEnvironment& environment) {
  if (is_of_kernel(event)) return "the kernel does not know this event";
  if (environment.is_guest)
    return "the CPU shows no hardware counter for it: this is a virtual machine, and its host "
           "gives it no PMU (or none "
           "with this event)";
  return "the CPU has no hardware counter for it, or the kernel no driver";
}

std::string no_right(int error, bool whole_cpu, const PerfEnvironment& environment) {
  const int highest = whole_cpu ? kForCpus : kForThreads;
  const bool is_allowed =
      environment.has_capability || (environment.paranoid && *environment.paranoid <= highest);
  if (is_allowed && environment.is_filtered)
    return "a seccomp filter (a container's, usually) refuses perf_event_open: allow it in the "
           "filter";
  if (is_allowed)
    return std::string("the kernel refuses it (") + strerrordesc_np(error) +
           ") although kernel.perf_event_paranoid and capabilities would allow it: a security "
           "module or lockdown does";
  const std::string level = environment.paranoid ? "kernel.perf_event_paranoid is " +
                                                       std::to_string(*environment.paranoid)
                                                 : "kernel.perf_event_paranoid cannot be read";
  return level + ": set it to " + std::to_string(highest) +
         " or less (sysctl), or give the process CAP_PERFMON" +
         (environment.is_filtered ? "; a seccomp filter is on and may refuse it too" : "");
}

}  // namespace

PerfEnvironment PerfEnvironment::read(const std::string& root) noexcept {
  PerfEnvironment environment;
  const auto flags = line_of(root + "/proc/cpuinfo", "flags");
  environment.is_guest = flags && (*flags + ' ').find(" hypervisor ") != std::string::npos;
  environment.paranoid =
      number_in<int>(line_of(root + "/proc/sys/kernel/perf_event_paranoid", ""), 10);
  const std::string status = root + "/proc/self/status";
  constexpr unsigned kSysAdmin = 21;
  constexpr unsigned kPerfmon = 38;
  const uint64_t capabilities = number_in<uint64_t>(line_of(status, "CapEff:"), 16).value_or(0);
  environment.has_capability =
      (capabilities >> kSysAdmin & 1) != 0 || (capabilities >> kPerfmon & 1) != 0;
  environment.is_filtered = number_in<unsigned>(line_of(status, "Seccomp:"), 10).value_or(0) == 2;
  return environment;
}

std::string explain_refusal(int error, const PerfEvent& event, bool whole_cpu,
                            const PerfEnvironment& environment) noexcept {
  switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return no_such_event(event, environment);
    case EACCES:
    case EPERM:
      return no_right(error, whole_cpu, environment);
    case ENOSYS:
      return environment.is_filtered ? "a seccomp filter answers perf_event_open as if the kernel "
                                       "had none: allow it in the filter"
                                     : "the kernel is built without perf events";
    case EMFILE:
      return "the process has no file descriptor left: raise its limit (ulimit -n); each event "
             "takes one a thread or CPU";
    case ENFILE:
      return "the system has no file left: raise fs.file-max (sysctl)";
    case EINVAL:
    case EOPNOTSUPP:
      return "the counter does not take this encoding: the CPU or the kernel is another than the "
             "event is meant for";
    case EBUSY:
      return "somebody holds the counter for itself, as the NMI watchdog does (sysctl "
             "kernel.nmi_watchdog=0)";
    case ENOSPC:
      return "the CPU has fewer counters than are asked for at once";
    case ESRCH:
      return "the thread or the process has ended";
    default:
      break;
  }
  return std::string("the kernel says: ") + strerrordesc_np(error);
}

}  // namespace numaheap::stats

#include "numaheap/numa/cpu_set.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "id_list.hpp"

namespace numaheap::numa {

Result<CpuSet> parse_cpu_list(std::string_view text) noexcept {
  constexpr Error kMalformed{ErrorCode::kInvalidArgument, 0,
                             "not a list of CPUs below 8192 such as \"0-3,8\""};
  CpuSet cpus;
  IdListParser parser(CpuSet::kCapacity, [&](unsigned cpu) { cpus.insert(cpu); });
  for (char c : text) {
    if (!parser.feed(c)) return kMalformed;
  }
  if (!parser.finish()) return kMalformed;
  return cpus;
}

Status set_thread_affinity(const CpuSet& cpus) noexcept {
  if (syscall(SYS_sched_setaffinity, 0, CpuSet::kCapacity / 8, cpus.words()) == 0) return Unit{};
  if (errno == EINVAL) {
    return Error{ErrorCode::kInvalidArgument, EINVAL,
                 "none of the CPUs is online and in the cpuset of the thread"};
  }
  const ErrorCode code =
      errno == EPERM || errno == EACCES ? ErrorCode::kNotPermitted : ErrorCode::kSystem;
  return Error{code, errno, "the kernel refused sched_setaffinity(2)"};
}

}  // namespace numaheap::numa

#include "numaheap/stats/perf_kernel.hpp"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace numaheap::stats {

namespace {

class LiveKernel final : public PerfKernel {
 public:
  int open(const PerfEvent& event, const PerfTarget& target) noexcept override {
    perf_event_attr attributes{};
    attributes.size = sizeof attributes;
    attributes.type = event.type;
    attributes.config = event.config;
    attributes.config1 = event.config1;
    attributes.config2 = event.config2;
    attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    attributes.inherit = target.with_children;
    attributes.exclude_kernel = target.user_only;
    attributes.exclude_hv = target.user_only;
    const long descriptor = syscall(SYS_perf_event_open, &attributes, target.process, target.cpu,
                                    target.group, PERF_FLAG_FD_CLOEXEC);
    return descriptor < 0 ? -errno : static_cast<int>(descriptor);
  }

  int read(int descriptor, PerfCount& count) noexcept override {
    static_assert(sizeof(PerfCount) == 3 * sizeof(uint64_t), "as read_format says");
    ssize_t got = 0;
    do {
      got = ::read(descriptor, &count, sizeof count);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return errno;
    return got == sizeof count ? 0 : EIO;  // 0 bytes: the event is in an error state
  }

  void close(int descriptor) noexcept override { ::close(descriptor); }
};

}  // namespace

PerfKernel& PerfKernel::live() noexcept {
  static LiveKernel kernel;
  return kernel;
}

}  // namespace numaheap::stats

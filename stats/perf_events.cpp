#include "numaheap/stats/perf_events.hpp"

#include <dirent.h>
#include <linux/perf_event.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "numaheap/stats/event_names.hpp"

namespace numaheap::stats {

namespace {

constexpr uint64_t cache_event(uint64_t cache, uint64_t operation, uint64_t result) {
  return cache | operation << 8 | result << 16;
}

/// The threads of the process; empty if /proc cannot be read.
std::vector<int> threads() {
  std::vector<int> ids;
  DIR* directory = opendir("/proc/self/task");
  if (directory == nullptr) return ids;
  while (const dirent* entry = readdir(directory)) {
    if (const int id = std::atoi(entry->d_name); id > 0) ids.push_back(id);
  }
  closedir(directory);
  return ids;
}

}  // namespace

struct PerfCounters::Opened {
  std::string name;
  std::vector<int> descriptors;  // one a thread
  bool user_only = false;
  std::string refusal;
};

namespace {

/// Opens one event after another for one thread; the first hardware event leads the group of the others.
class ThreadOpener {
 public:
  ThreadOpener(PerfKernel& kernel, PerfTarget target, bool may_group)
      : kernel_(kernel), target_(target), may_group_(may_group) {}

  /// \param user_only  in: without the kernel from the start; out: whether that was needed.
  /// \returns a descriptor, or an errno below zero.
  int open(const PerfEvent& event, bool& user_only) {
    const bool groups = may_group_ && event.type != PERF_TYPE_SOFTWARE;
    int descriptor = open_in(event, user_only, groups ? leader_ : -1);
    // A group that is larger than the CPU's counters is refused as a whole: then the event takes turns with it.
    if (descriptor < 0 && groups && leader_ >= 0) descriptor = open_in(event, user_only, -1);
    if (descriptor >= 0 && groups && leader_ < 0) leader_ = descriptor;
    return descriptor;
  }

 private:
  int open_in(const PerfEvent& event, bool& user_only, int group) {
    PerfTarget target = target_;
    target.group = group;
    target.user_only = user_only;
    int descriptor = kernel_.open(event, target);
    if ((descriptor == -EACCES || descriptor == -EPERM) && !user_only && !event.only_in_kernel) {
      target.user_only = true;
      descriptor = kernel_.open(event, target);
      user_only = descriptor >= 0;
    }
    return descriptor;
  }

  PerfKernel& kernel_;
  PerfTarget target_;
  bool may_group_;
  int leader_ = -1;
};

}  // namespace

std::vector<PerfEvent> usual_events() noexcept {
  constexpr uint64_t kLoads = PERF_COUNT_HW_CACHE_OP_READ;
  constexpr uint64_t kMisses = PERF_COUNT_HW_CACHE_RESULT_MISS;
  std::vector<PerfEvent> events = {
      {"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
      {"instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
      {"llc_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
      {"dtlb_load_misses", PERF_TYPE_HW_CACHE,
       cache_event(PERF_COUNT_HW_CACHE_DTLB, kLoads, kMisses)},
  };
  for (PerfEvent& event : dram_events()) events.push_back(std::move(event));
  events.push_back({"page_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS});
  for (auto [name, config] : {std::pair("cpu_migrations", PERF_COUNT_SW_CPU_MIGRATIONS),
                              std::pair("context_switches", PERF_COUNT_SW_CONTEXT_SWITCHES)}) {
    events.push_back({.name = name,
                      .type = PERF_TYPE_SOFTWARE,
                      .config = static_cast<uint64_t>(config),
                      .only_in_kernel = true});
  }
  return events;
}

PerfCounters PerfCounters::open(std::span<const PerfEvent> events, Whose whose, PerfKernel& kernel,
                                const PerfEnvironment& environment) noexcept {
  std::vector<Opened> opened;
  for (const PerfEvent& event : events) opened.push_back({event.name, {}, false, event.problem});
  const auto close_all = [&](Opened& event) {
    for (int descriptor : event.descriptors) kernel.close(descriptor);
    event.descriptors.clear();
  };
  const auto open_thread = [&](int id, bool is_process) {
    ThreadOpener opener(kernel, {.process = id, .with_children = is_process}, !is_process);
    for (size_t i = 0; i < events.size(); ++i) {
      if (!opened[i].refusal.empty()) continue;
      const int descriptor = opener.open(events[i], opened[i].user_only);
      if (descriptor >= 0) {
        opened[i].descriptors.push_back(descriptor);
      } else if (descriptor != -ESRCH ||
                 !is_process) {  // a thread of many may have ended meanwhile
        close_all(opened[i]);    // a part of the threads would be taken for all
        opened[i].refusal = explain_refusal(-descriptor, events[i], false, environment);
      }
    }
  };
  if (whose == Whose::kThread) {
    open_thread(0, false);
    return PerfCounters(kernel, std::move(opened));
  }
  // A thread that is started by one that is not yet counted is found in the next round.
  std::vector<int> done;
  for (bool found = true; found;) {
    found = false;
    for (int id : threads()) {
      if (std::find(done.begin(), done.end(), id) != done.end()) continue;
      found = true;
      done.push_back(id);
      open_thread(id, true);
    }
  }
  for (Opened& event : opened) {
    if (event.refusal.empty() && event.descriptors.empty())
      event.refusal = "the threads of the process cannot be listed (/proc/self/task)";
  }
  return PerfCounters(kernel, std::move(opened));
}

PerfCounters::PerfCounters(PerfKernel& kernel, std::vector<Opened> events) noexcept
    : kernel_(&kernel), events_(std::move(events)) {}
PerfCounters::PerfCounters(PerfCounters&& other) noexcept = default;
PerfCounters& PerfCounters::operator=(PerfCounters&& other) noexcept {
  std::swap(kernel_, other.kernel_);
  std::swap(events_, other.events_);
  return *this;
}
PerfCounters::~PerfCounters() {
  for (const Opened& event : events_) {
    for (int descriptor : event.descriptors) kernel_->close(descriptor);
  }
}

PerfCounters::Counts PerfCounters::count() const noexcept {
  Counts counts;
  for (const Opened& event : events_) {
    std::vector<PerfCount>& row = counts.emplace_back();
    for (int descriptor : event.descriptors) {
      // What cannot be read stays at no time at all, so that the event has no value.
      PerfCount count;
      row.push_back(kernel_->read(descriptor, count) == 0 ? count : PerfCount{});
    }
  }
  return counts;
}

std::vector<PerfValue> PerfCounters::since(const Counts& before) const noexcept {
  const Counts now = count();
  std::vector<PerfValue> values;
  for (size_t i = 0; i < events_.size(); ++i) {
    PerfValue value{
        .name = events_[i].name, .user_only = events_[i].user_only, .reason = events_[i].refusal};
    double sum = 0;
    double enabled = 0;
    double running = 0;
    for (size_t thread = 0; thread < now[i].size(); ++thread) {
      const PerfCount from = before.empty() ? PerfCount{} : before[i][thread];
      const auto scaled = scaled_difference(from, now[i][thread]);
      enabled += static_cast<double>(now[i][thread].enabled_ns - from.enabled_ns);
      running += static_cast<double>(now[i][thread].running_ns - from.running_ns);
      if (scaled) sum += scaled->value;
    }
    if (value.reason.empty() && running == 0) {
      value.reason = enabled == 0 ? "nothing ran while it was counted"
                                  : "it got no counter: others held them all the time";
    } else if (value.reason.empty()) {
      value.value = static_cast<uint64_t>(std::llround(sum));
      value.counted = std::min(1.0, running / enabled);
    }
    values.push_back(std::move(value));
  }
  return values;
}

std::vector<PerfValue> PerfCounters::read() const noexcept { return since({}); }

PerfCounters::Scoped::Scoped(const PerfCounters& counters, std::vector<PerfValue>& values) noexcept
    : counters_(counters), values_(values), before_(counters.count()) {}
PerfCounters::Scoped::~Scoped() { values_ = counters_.since(before_); }

std::optional<ScaledCount> scaled_difference(const PerfCount& before,
                                             const PerfCount& after) noexcept {
  const auto enabled = static_cast<double>(after.enabled_ns - before.enabled_ns);
  const auto running = static_cast<double>(after.running_ns - before.running_ns);
  if (after.running_ns == before.running_ns) return std::nullopt;
  const double counted = std::min(1.0, running / enabled);
  return ScaledCount{static_cast<double>(after.value - before.value) / counted, counted};
}

}  // namespace numaheap::stats

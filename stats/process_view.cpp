#include "numaheap/stats/process_view.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

#include "foreign_file.hpp"
#include "segment_layout.hpp"

namespace numaheap::stats {

namespace {

using std::chrono::nanoseconds;

constexpr char kNotPublishing[] =
    "it publishes nothing: it does not run on numaheap, has hardly allocated, or was started with "
    "NUMAHEAP_PUBLISH_MS=0";
bool is_number(const char* text) {
  return *text != 0 &&
         std::all_of(text, text + std::strlen(text), [](char c) { return c >= '0' && c <= '9'; });
}

Error invalid(const char* text) { return {ErrorCode::kInvalidArgument, 0, text}; }

}  // namespace

/// Checks every offset and count before it follows it.
class SegmentReader {
 public:
  SegmentReader(std::span<const char> segment, ForeignSnapshot& out)
      : segment_(segment), out_(out) {}

  Status read(nanoseconds now) {
    if (segment_.size() < sizeof(SegmentHeader))
      return invalid("the published snapshot is cut short");
    alignas(SegmentHeader) char copy[sizeof(SegmentHeader)];
    std::memcpy(copy, segment_.data(), sizeof copy);
    const auto& header = *std::launder(reinterpret_cast<const SegmentHeader*>(copy));
    if (header.magic == 0) return Error{ErrorCode::kNotFound, 0, "nothing has been published yet"};
    if (header.magic != kSegmentMagic) return invalid("this is not a snapshot of numaheap");
    if (header.layout != kSegmentLayout)
      return invalid(
          "the snapshot is of another version of numaheap: use the numaheap command of that "
          "version");
    if (!fits(header.texts_at, header.text_bytes, 1) || header.text_bytes == 0 ||
        !fits(header.metrics_at, header.metric_count, sizeof(SegmentMetric)) ||
        !fits(header.samples_at, header.sample_count, sizeof(SegmentSample)) ||
        !fits(header.absences_at, header.absence_count, sizeof(SegmentAbsence)))
      return invalid("the published snapshot is cut short");
    out_.texts_.assign(segment_.data() + header.texts_at, header.text_bytes);
    if (out_.texts_.back() != 0) return invalid("a text of the published snapshot has no end");
    out_.metric_count_ = header.metric_count;
    out_.metrics_ = std::make_unique<Metric[]>(header.metric_count);
    for (size_t i = 0; i < header.metric_count; ++i) {
      if (!read_metric(record<SegmentMetric>(header.metrics_at, i), out_.metrics_[i]))
        return invalid("the published snapshot describes a metric in an unknown way");
    }
    out_.samples_.resize(header.sample_count);
    for (size_t i = 0; i < header.sample_count; ++i) {
      if (!read_sample(record<SegmentSample>(header.samples_at, i), out_.samples_[i]))
        return invalid("the published snapshot has a sample of no metric");
    }
    for (size_t i = 0; i < header.absence_count; ++i) {
      const auto absence = record<SegmentAbsence>(header.absences_at, i);
      if (absence.metric >= out_.metric_count_ || text(absence.why) == nullptr)
        return invalid("the published snapshot says of no metric that it is missing");
      out_.absences_.push_back({&out_.metrics_[absence.metric], text(absence.why)});
    }
    out_.snapshot_ = {.samples = out_.samples_,
                      .left_out = header.left_out,
                      .scan = nanoseconds(header.scan_ns),
                      .absent = out_.absences_};
    out_.published_ = nanoseconds(header.published_ns);
    out_.age_ = std::max(nanoseconds(0), now - out_.published_);
    return numaheap::Unit{};
  }

 private:
  [[nodiscard]] bool fits(uint32_t at, uint32_t count, size_t size) const {
    return at <= segment_.size() && count <= (segment_.size() - at) / size;
  }
  template <class T>
  [[nodiscard]] T record(uint32_t at, size_t index) const {
    T value;
    std::memcpy(&value, segment_.data() + at + index * sizeof value, sizeof value);
    return value;
  }
  [[nodiscard]] const char* text(uint64_t offset) const {
    return offset < out_.texts_.size() ? out_.texts_.data() + offset : nullptr;
  }

  bool read_metric(const SegmentMetric& from, Metric& to) const {
    to.name = text(from.name);
    to.help = text(from.help);
    if (to.name == nullptr || to.help == nullptr || *to.name == 0 ||
        from.unit > static_cast<uint8_t>(Unit::kMillionths) ||
        from.type > static_cast<uint8_t>(Type::kInfo) ||
        from.source > static_cast<uint8_t>(Source::kEstimate) ||
        from.detail > static_cast<uint8_t>(Detail::kPerThread))
      return false;
    to.unit = static_cast<Unit>(from.unit);
    to.type = static_cast<Type>(from.type);
    to.source = static_cast<Source>(from.source);
    to.detail = static_cast<Detail>(from.detail);
    for (size_t i = 0; i < kMaxLabels; ++i) {
      if (from.label_keys[i] == 0) break;
      to.label_keys[i] = text(from.label_keys[i]);
      if (to.label_keys[i] == nullptr) return false;
    }
    return true;
  }

  bool read_sample(const SegmentSample& from, Sample& to) const {
    if (from.metric >= out_.metric_count_) return false;
    to.metric = &out_.metrics_[from.metric];
    to.value = from.value;
    to.age = nanoseconds(from.age_ns);
    for (size_t i = 0; i < to.metric->label_count(); ++i) {
      const SegmentLabel& label = from.labels[i];
      if (label.kind == static_cast<uint64_t>(Label::Kind::kNumber)) {
        to.labels[i] = Label(label.value);
      } else if (label.kind == static_cast<uint64_t>(Label::Kind::kText) &&
                 text(label.value) != nullptr) {
        to.labels[i] = Label(text(label.value));
      } else {
        return false;
      }
    }
    return true;
  }

  std::span<const char> segment_;
  ForeignSnapshot& out_;
};

Result<std::unique_ptr<ForeignSnapshot>> read_segment(std::span<const char> segment,
                                                      nanoseconds now) noexcept {
  auto out = std::make_unique<ForeignSnapshot>();
  if (const Status read = SegmentReader(segment, *out).read(now); !read) return read.error();
  return out;
}

Result<ProcessView> ProcessView::open(int pid) noexcept {
  if (pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH))
    return Error{ErrorCode::kNotFound, ESRCH, "there is no such process"};
  // Owns the pidfd, taken first: what is found in /proc after that is of this process, or it has ended.
  ProcessView view(pid, static_cast<int>(syscall(SYS_pidfd_open, pid, 0u)));
  const Result<ForeignFile> file = open_published(pid, kSegmentName);
  if (!file) {
    if (file.error().code != ErrorCode::kNotFound || file.error().system_errno != 0)
      return file.error();
    return Error{ErrorCode::kNotFound, 0, kNotPublishing};
  }
  view.snapshots_ = *file;
  return view;
}

ProcessView::ProcessView(ProcessView&& other) noexcept
    : pid_(other.pid_),
      process_(std::exchange(other.process_, -1)),
      snapshots_(std::exchange(other.snapshots_, {})),
      maps_(std::exchange(other.maps_, {})) {}

ProcessView::~ProcessView() {
  for (const int file : {process_, snapshots_.file, maps_.file})
    if (file >= 0) close(file);
}

bool ProcessView::has_ended() const noexcept {
  if (process_ < 0) return kill(pid_, 0) != 0 && errno == ESRCH;
  pollfd process{process_, POLLIN, 0};
  return poll(&process, 1, 0) == 1;
}

Result<std::unique_ptr<ForeignSnapshot>> ProcessView::read() noexcept {
  if (has_ended()) return Error{ErrorCode::kNotFound, ESRCH, "the process has ended"};
  constexpr int kTries = 100;
  std::vector<char> copy(kSegmentBytes);
  const auto sequence_of = [&] {
    uint64_t sequence = 1;
    const off_t at = static_cast<off_t>(snapshots_.at + offsetof(SegmentHeader, sequence));
    return pread(snapshots_.file, &sequence, sizeof sequence, at) == sizeof sequence ? sequence : 1;
  };
  for (int i = 0; i < kTries; ++i) {
    const uint64_t before = sequence_of();
    if (before % 2 == 0) {
      const ssize_t got =
          pread(snapshots_.file, copy.data(), copy.size(), static_cast<off_t>(snapshots_.at));
      if (got < 0) return Error{ErrorCode::kNotFound, errno, "the process has ended"};
      if (sequence_of() == before)
        return read_segment({copy.data(), static_cast<size_t>(got)}, monotonic_now());
    }
    const timespec a_little{0, 100'000};
    nanosleep(&a_little, nullptr);
  }
  return Error{ErrorCode::kSystem, 0,
               "the process is stopped, or ended, in the middle of publishing: try again"};
}

std::vector<int> find_processes(const std::string& name) {
  std::vector<int> found;
  DIR* processes = opendir("/proc");
  if (processes == nullptr) return found;
  while (const dirent* entry = readdir(processes)) {
    if (!is_number(entry->d_name)) continue;
    std::string comm;
    std::getline(std::ifstream(std::string("/proc/") + entry->d_name + "/comm"), comm);
    if (comm == name.substr(0, 15))
      found.push_back(std::atoi(entry->d_name));  // comm holds no more
  }
  closedir(processes);
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace numaheap::stats

#include "numaheap/stats/publisher.hpp"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <new>

#include "numaheap/base/check.hpp"
#include "segment_layout.hpp"

namespace numaheap::stats {

namespace {

constexpr size_t kMostSamples = 8192;
constexpr size_t kMostMetrics = 512;
static_assert(sizeof(SegmentHeader) +
                  kMostMetrics * (sizeof(SegmentMetric) + sizeof(SegmentAbsence)) +
                  kMostSamples * sizeof(SegmentSample) <
              kSegmentBytes * 3 / 4);  // the rest is for texts
/// Appends records and texts to a segment, from its end of the header on.
class SegmentWriter {
 public:
  explicit SegmentWriter(char* segment) : segment_(segment) {}

  /// \returns room for `count` records: there is enough for the most there may be.
  template <class T>
  T* records(size_t count, uint32_t& offset) {
    offset = (end_ + alignof(T) - 1) & ~static_cast<uint32_t>(alignof(T) - 1);
    end_ = offset + static_cast<uint32_t>(count * sizeof(T));
    return new (segment_ + offset) T[count];
  }
  void begin_texts(uint32_t& offset) {
    offset = texts_ = end_;
    text("");
  }
  /// \returns the text's offset; that of the empty one if there is no room. One that was just written is shared.
  uint32_t text(const char* text) {
    if (text == nullptr) return 0;
    Recent& recent = recent_[reinterpret_cast<uintptr_t>(text) / 8 % kRecent];
    if (recent.text == text) return recent.offset;
    const size_t bytes = std::strlen(text) + 1;
    if (bytes > kSegmentBytes - end_) return 0;
    std::memcpy(segment_ + end_, text, bytes);
    recent = {text, end_ - texts_};
    end_ += static_cast<uint32_t>(bytes);
    return recent.offset;
  }
  [[nodiscard]] uint32_t text_bytes() const { return end_ - texts_; }

 private:
  struct Recent {
    const char* text = nullptr;
    uint32_t offset = 0;
  };
  static constexpr size_t kRecent = 64;

  char* segment_;
  uint32_t end_ = sizeof(SegmentHeader);
  uint32_t texts_ = 0;
  Recent recent_[kRecent];
};

/// All metrics at one moment.
struct MetricList {
  const Metric* metrics[kMostMetrics];
  size_t count = 0;

  MetricList() {
    for (const Metric* m = first_metric(); m != nullptr && count < kMostMetrics;
         m = next_metric(*m))
      metrics[count++] = m;
  }
  [[nodiscard]] std::span<const Metric* const> all() const { return {metrics, count}; }
  /// Looks from `index` on, where the last one was found: samples come about in this order.
  bool find(const Metric* metric, size_t& index) const {
    for (size_t tried = 0; tried < count; ++tried) {
      if (metrics[index] == metric) return true;
      index = index + 1 < count ? index + 1 : 0;
    }
    return false;
  }
};

void write_metric(const Metric& metric, SegmentWriter& writer, SegmentMetric& out) {
  out = {.name = writer.text(metric.name),
         .help = writer.text(metric.help),
         .label_keys = {},
         .unit = static_cast<uint8_t>(metric.unit),
         .type = static_cast<uint8_t>(metric.type),
         .source = static_cast<uint8_t>(metric.source),
         .detail = static_cast<uint8_t>(metric.detail)};
  for (size_t i = 0; i < kMaxLabels; ++i) out.label_keys[i] = writer.text(metric.label_keys[i]);
}

void write_sample(const Sample& sample, uint64_t metric, SegmentWriter& writer,
                  SegmentSample& out) {
  out = {.value = sample.value, .age_ns = sample.age.count(), .metric = metric, .labels = {}};
  for (size_t i = 0; i < kMaxLabels; ++i) {
    const Label& label = sample.labels[i];
    out.labels[i].kind = static_cast<uint64_t>(label.kind());
    if (label.kind() == Label::Kind::kNumber) out.labels[i].value = label.number();
    if (label.kind() == Label::Kind::kText) out.labels[i].value = writer.text(label.text());
  }
}

}  // namespace

Status Publisher::open() noexcept {
  if (is_open()) return numaheap::Unit{};
  if (!file_.is_open()) {
    Status opened = file_.open(kSegmentName, kSegmentBytes);
    if (!opened) return opened;
  }
  constexpr size_t kBytes = kMostSamples * sizeof(Sample);
  void* samples = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (samples == MAP_FAILED)
    return Error{ErrorCode::kNoMemory, errno, "there is no memory for a snapshot"};
  (void)madvise(samples, kBytes, MADV_DONTFORK);  // a child would only keep it
  samples_ = static_cast<Sample*>(samples);
  auto* header = new (file_.memory()) SegmentHeader{};
  header->layout = kSegmentLayout;
  header->pid = static_cast<uint32_t>(getpid());
  return numaheap::Unit{};
}

std::chrono::nanoseconds Publisher::map_wanted_until() const noexcept {
  NH_ASSERT(is_open());
  // relaxed: a viewer writes it, and nothing with it
  return std::chrono::nanoseconds(reinterpret_cast<SegmentHeader*>(file_.memory())
                                      ->map_wanted_until_ns.load(std::memory_order_relaxed));
}

void Publisher::publish(Detail detail, Freshness freshness) noexcept {
  NH_ASSERT(is_open());
  Snapshot snapshot = take_snapshot({samples_, kMostSamples}, detail, freshness);
  Absence absences[kMostMetrics];
  find_absent(snapshot, detail, absences);

  auto& header = *reinterpret_cast<SegmentHeader*>(file_.memory());
  const uint64_t sequence = header.sequence.load(std::memory_order_relaxed);
  header.sequence.store(sequence + 1, std::memory_order_relaxed);
  // release fence: who sees one of the writes below sees the odd sequence (the reader's acquire fence).
  std::atomic_thread_fence(std::memory_order_release);

  const MetricList metrics;
  SegmentWriter writer(file_.memory());
  auto* metric = writer.records<SegmentMetric>(metrics.count, header.metrics_at);
  auto* sample = writer.records<SegmentSample>(snapshot.samples.size(), header.samples_at);
  auto* absence = writer.records<SegmentAbsence>(snapshot.absent.size(), header.absences_at);
  writer.begin_texts(header.texts_at);
  header.metric_count = header.sample_count = header.absence_count = 0;
  for (const Metric* m : metrics.all()) write_metric(*m, writer, metric[header.metric_count++]);
  size_t index = 0;
  for (const Sample& s : snapshot.samples) {
    if (!metrics.find(s.metric, index)) continue;  // registered since, or one too many
    write_sample(s, index, writer, sample[header.sample_count++]);
  }
  for (const Absence& a : snapshot.absent) {
    if (!metrics.find(a.metric, index)) continue;
    absence[header.absence_count++] = {static_cast<uint32_t>(index), writer.text(a.why)};
  }
  header.text_bytes = writer.text_bytes();
  header.left_out = static_cast<uint32_t>(snapshot.left_out);
  header.scan_ns = snapshot.scan.count();
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  header.published_ns = int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  header.magic = kSegmentMagic;
  // release: pairs with the reader's acquire; what was written is seen whole.
  header.sequence.store(sequence + 2, std::memory_order_release);
}

void Publisher::close() noexcept {
  if (samples_ != nullptr) munmap(samples_, kMostSamples * sizeof(Sample));
  samples_ = nullptr;
  file_.close();
}

void Publisher::after_fork_in_child() noexcept {
  file_.after_fork_in_child();
  samples_ = nullptr;
}

}  // namespace numaheap::stats

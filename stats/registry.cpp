#include "numaheap/stats/registry.hpp"

#include <time.h>

#include <algorithm>
#include <cstring>

#include "numaheap/base/check.hpp"

namespace numaheap::stats {

namespace {

constinit std::atomic<Metric*> head{nullptr};

std::chrono::nanoseconds now() noexcept {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

bool labels_equal(const Sample& sample, std::initializer_list<Label> labels) noexcept {
  return labels.size() == sample.metric->label_count() &&
         std::equal(labels.begin(), labels.end(), sample.labels.begin());
}

}  // namespace

const char* name(Unit unit) noexcept {
  switch (unit) {
    case Unit::kCount:
      return "count";
    case Unit::kBytes:
      return "bytes";
    case Unit::kBytesPerSecond:
      return "bytes per second";
    case Unit::kNanoseconds:
      return "nanoseconds";
    case Unit::kUnixSeconds:
      return "unix seconds";
    case Unit::kMillionths:
      return "millionths";
  }
  return "unknown";
}

const char* name(Type type) noexcept {
  switch (type) {
    case Type::kGauge:
      return "gauge";
    case Type::kCounter:
      return "counter";
    case Type::kInfo:
      return "info";
  }
  return "unknown";
}

const char* name(Source source) noexcept {
  switch (source) {
    case Source::kOwnBooks:
      return "own books";
    case Source::kKernel:
      return "kernel";
    case Source::kHardware:
      return "hardware";
    case Source::kHost:
      return "host";
    case Source::kEstimate:
      return "estimate";
  }
  return "unknown";
}

bool Label::operator==(const Label& other) const noexcept {
  if (kind_ != other.kind_) return false;
  switch (kind_) {
    case Kind::kNone:
      return true;
    case Kind::kNumber:
      return number_ == other.number_;
    case Kind::kText:
      return std::strcmp(text_, other.text_) == 0;
  }
  return false;
}

void register_metric(Metric& metric) noexcept {
  NH_ASSERT(metric.name != nullptr && metric.help != nullptr);
  // relaxed: only one registration may go on; what it publishes goes through the list.
  if (metric.registered.exchange(true, std::memory_order_relaxed)) return;
  std::atomic<Metric*>* link = &head;
  for (Metric* last = nullptr;; last = nullptr) {
    // release: pairs with the acquires in first_metric() and next_metric(); publishes the descriptor.
    // acquire on failure: `last` is walked through.
    if (link->compare_exchange_strong(last, &metric, std::memory_order_release,
                                      std::memory_order_acquire))
      return;
    link = &last->next;
  }
}

const Metric* first_metric() noexcept {
  // acquire: pairs with the release in register_metric()
  return head.load(std::memory_order_acquire);
}

const Metric* next_metric(const Metric& metric) noexcept {
  // acquire: pairs with the release in register_metric()
  return metric.next.load(std::memory_order_acquire);
}

size_t registered_metrics() noexcept {
  size_t count = 0;
  for (const Metric* metric = first_metric(); metric != nullptr; metric = next_metric(*metric))
    ++count;
  return count;
}

const Sample* Snapshot::find(std::string_view name,
                             std::initializer_list<Label> labels) const noexcept {
  for (const Sample& sample : samples) {
    if (sample.metric->name == name && labels_equal(sample, labels)) return &sample;
  }
  return nullptr;
}

bool Snapshot::sum(std::string_view name, int64_t& sum) const noexcept {
  bool found = false;
  int64_t total = 0;
  for (const Sample& sample : samples) {
    if (sample.metric->name != name) continue;
    found = true;
    total += sample.value;
  }
  if (found) sum = total;
  return found;
}

Snapshot take_snapshot(std::span<Sample> memory, Detail detail, Freshness freshness) noexcept {
  const auto start = now();
  Emitter emitter(memory, detail, freshness);
  for (const Metric* metric = first_metric(); metric != nullptr; metric = next_metric(*metric)) {
    if (metric->read == nullptr || !emitter.wants(*metric)) continue;
    emitter.reading_ = metric;
    metric->read(metric->context, emitter);
  }
  const size_t kept = std::min(emitter.emitted_, memory.size());
  return {
      .samples = memory.first(kept), .left_out = emitter.emitted_ - kept, .scan = now() - start};
}

void find_absent(Snapshot& snapshot, Detail detail, std::span<Absence> memory) noexcept {
  snapshot.absent = {};
  if (snapshot.left_out != 0) return;
  const std::span<const Sample> samples = snapshot.samples;
  size_t found = 0;
  // Samples stand about in the order of the registry, so each search goes on where the last one ended.
  auto last = samples.begin();
  for (const Metric* metric = first_metric(); metric != nullptr; metric = next_metric(*metric)) {
    if (metric->detail > detail) continue;
    const auto is_its_own = [&](const Sample& sample) { return sample.metric == metric; };
    auto own = std::find_if(last, samples.end(), is_its_own);
    if (own == samples.end()) {
      own = std::find_if(samples.begin(), last, is_its_own);
      if (own == last) own = samples.end();
    }
    if (own != samples.end()) {
      last = own;
    } else if (found < memory.size()) {
      const char* why = metric->why == nullptr ? nullptr : metric->why(metric->context);
      memory[found++] = {metric, why == nullptr ? "its owner has none now" : why};
    }
  }
  snapshot.absent = memory.first(found);
}

void Emitter::emit(int64_t value, std::initializer_list<Label> labels,
                   std::chrono::nanoseconds age) noexcept {
  emit(*reading_, value, labels, age);
}

void Emitter::emit(const Metric& metric, int64_t value, std::initializer_list<Label> labels,
                   std::chrono::nanoseconds age) noexcept {
  NH_ASSERT(labels.size() == metric.label_count());
  if (!wants(metric)) return;
  if (emitted_ < memory_.size()) {
    Sample& sample = memory_[emitted_];
    sample = Sample{.metric = &metric, .value = value, .age = age};
    std::copy_n(labels.begin(), std::min(labels.size(), kMaxLabels), sample.labels.begin());
  }
  ++emitted_;
}

}  // namespace numaheap::stats

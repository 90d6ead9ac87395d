/// \file
/// The registry of metrics, and Snapshot: their values at about one moment, written into the
/// caller's memory.
///
/// Nothing here allocates or takes a lock. The registry is a list that only grows: registering is
/// an append by compare-and-swap, reading is a walk, and both may happen at once, inside the first
/// malloc too.
///
/// A snapshot is not an instant: its values are read one after another, and other threads run on
/// meanwhile. How long that took is in Snapshot::scan, and what a value had for age when it was
/// read is in Sample::age.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "numaheap/base/api.h"
#include "numaheap/stats/metric.hpp"

namespace numaheap::stats {

/// Adds a metric for good; doing it again for the same one does nothing. Any thread, any time.
/// \pre `metric` is never destroyed, and its public fields never change after this.
NH_API void register_metric(Metric& metric) noexcept;

/// The first registered metric, and the one after `metric`, in the order of registration; nullptr
/// after the last.
NH_API const Metric* first_metric() noexcept;
NH_API const Metric* next_metric(const Metric& metric) noexcept;

struct Sample {
  const Metric* metric = nullptr;
  std::array<Label, kMaxLabels> labels{};  ///< In the order of metric->label_keys.
  int64_t value = 0;                       ///< In metric->unit.
  std::chrono::nanoseconds age{0};         ///< How old the figure was when the snapshot took it.
};

struct Snapshot {
  std::span<const Sample> samples;   ///< In the caller's memory.
  size_t left_out = 0;               ///< Samples that there was no room for.
  std::chrono::nanoseconds scan{0};  ///< How long reading everything took.

  /// The sample with this name and these labels, or nullptr.
  [[nodiscard]] NH_API const Sample* find(std::string_view name,
                                          std::initializer_list<Label> labels = {}) const noexcept;
  /// Adds up all samples of this name, over all labels.
  /// \returns false if there is none; then `sum` is untouched.
  [[nodiscard]] NH_API bool sum(std::string_view name, int64_t& sum) const noexcept;
};

/// Reads all metrics up to `detail` into `memory`. What does not fit is counted in left_out, so a
/// second try with samples.size() + left_out entries (and some more, for threads that come) has
/// room.
/// Cost: that of the read functions, some nanoseconds a sample, and two clock reads.
[[nodiscard]] NH_API Snapshot take_snapshot(std::span<Sample> memory,
                                            Detail detail = Detail::kPerThread) noexcept;

/// What a read function writes its samples to.
class Emitter {
 public:
  /// A sample of the metric that is being read.
  /// \pre as many labels as the metric has keys.
  NH_API void emit(int64_t value, std::initializer_list<Label> labels = {},
                   std::chrono::nanoseconds age = {}) noexcept;
  /// A sample of another registered metric of the same group.
  NH_API void emit(const Metric& metric, int64_t value, std::initializer_list<Label> labels = {},
                   std::chrono::nanoseconds age = {}) noexcept;
  /// False if the snapshot leaves this metric out for its detail: then its samples need not be made
  /// up.
  [[nodiscard]] bool wants(const Metric& metric) const noexcept { return metric.detail <= detail_; }

 private:
  friend Snapshot take_snapshot(std::span<Sample> memory, Detail detail) noexcept;
  Emitter(std::span<Sample> memory, Detail detail) : memory_(memory), detail_(detail) {}

  std::span<Sample> memory_;
  Detail detail_;
  size_t emitted_ = 0;
  const Metric* reading_ = nullptr;
};

}  // namespace numaheap::stats

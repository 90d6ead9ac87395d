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
/// \pre `metric` is never destroyed, its public fields never change after this, and no other one
///      has its name.
NH_API void register_metric(Metric& metric) noexcept;

/// The first registered metric, and the one after `metric`, in the order of registration; nullptr
/// after the last.
NH_API const Metric* first_metric() noexcept;
NH_API const Metric* next_metric(const Metric& metric) noexcept;
/// How many there are.
NH_API size_t registered_metrics() noexcept;

struct Sample {
  const Metric* metric = nullptr;
  std::array<Label, kMaxLabels> labels{};  ///< In the order of metric->label_keys.
  int64_t value = 0;                       ///< In metric->unit.
  std::chrono::nanoseconds age{0};         ///< How old the figure was when the snapshot took it.
};

/// A condition on one label of a sample.
struct LabelMatch {
  const char* key = nullptr;  ///< nullptr: any sample.
  Label label;
};

/// A registered metric that had no sample.
struct Absence {
  const Metric* metric = nullptr;
  const char* why = nullptr;  ///< As its owner says; never null in a snapshot.
};

struct Snapshot {
  std::span<const Sample> samples;   ///< In the caller's memory.
  size_t left_out = 0;               ///< Samples that there was no room for.
  std::chrono::nanoseconds scan{0};  ///< How long reading everything took.
  std::span<const Absence> absent;   ///< In the caller's memory; filled by find_absent().

  /// The sample with this name and these labels, or nullptr.
  [[nodiscard]] NH_API const Sample* find(std::string_view name,
                                          std::initializer_list<Label> labels = {}) const noexcept;
  /// Adds up all samples of this name, over all labels.
  /// \returns false if there is none; then `sum` is untouched.
  [[nodiscard]] NH_API bool sum(std::string_view name, int64_t& sum) const noexcept;
};

/// What to do about a figure that is dear to get and was kept from an earlier read.
enum class Freshness : uint8_t {
  kRefresh,  ///< Get it again if it is older than its owner finds good.
  kAsKept,   ///< Take it as it is, or leave it out: on the way of an allocation.
};

/// Reads all metrics up to `detail` into `memory`. What does not fit is counted in left_out, so a
/// second try with samples.size() + left_out entries (and some more, for threads that come) has
/// room.
/// Cost: that of the read functions, some nanoseconds a sample, and two clock reads.
[[nodiscard]] NH_API Snapshot take_snapshot(std::span<Sample> memory,
                                            Detail detail = Detail::kPerThread,
                                            Freshness freshness = Freshness::kRefresh) noexcept;

/// Adds to a snapshot which metrics up to `detail`, what it was taken with, had no sample, and why.
/// \param memory  registered_metrics() entries have room for all.
/// Finds none while samples are left out, as theirs may be among those.
/// Cost: a pointer comparison a sample for each metric that has none.
NH_API void find_absent(Snapshot& snapshot, Detail detail, std::span<Absence> memory) noexcept;

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
  /// False if a figure that takes locks or many system calls must be emitted as it was kept.
  [[nodiscard]] bool may_refresh() const noexcept { return freshness_ == Freshness::kRefresh; }

 private:
  friend Snapshot take_snapshot(std::span<Sample> memory, Detail detail,
                                Freshness freshness) noexcept;
  Emitter(std::span<Sample> memory, Detail detail, Freshness freshness)
      : memory_(memory), detail_(detail), freshness_(freshness) {}

  std::span<Sample> memory_;
  Detail detail_;
  Freshness freshness_;
  size_t emitted_ = 0;
  const Metric* reading_ = nullptr;
};

}  // namespace numaheap::stats

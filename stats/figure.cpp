#include "figure.hpp"

#include <algorithm>

#include "quantity.hpp"

namespace numaheap::stats {

namespace {

using std::string_view;

const char* why_absent(const Snapshot& snapshot, string_view metric) noexcept {
  if (snapshot.left_out != 0)
    return "it may not be whole: the snapshot had no room for all samples";
  for (const Absence& absence : snapshot.absent) {
    if (metric == absence.metric->name) return absence.why;
  }
  return "it has no sample";
}

bool has_label(const Sample& sample, const LabelMatch& match) noexcept {
  for (size_t i = 0; i < sample.metric->label_count(); ++i) {
    if (string_view(sample.metric->label_keys[i]) == match.key)
      return sample.labels[i] == match.label;
  }
  return false;
}

}  // namespace

Figure sum_of(const Snapshot& snapshot, const char* metric,
              std::span<const LabelMatch> labels) noexcept {
  Figure figure{.missing = metric};
  bool has_samples = false;
  for (const Sample& sample : snapshot.samples) {
    if (snapshot.left_out != 0 || string_view(sample.metric->name) != metric) continue;
    has_samples = true;
    if (!std::all_of(labels.begin(), labels.end(), [&](const LabelMatch& match) {
          return match.key == nullptr || has_label(sample, match);
        }))
      continue;
    figure.missing = nullptr;
    figure.unit = sample.metric->unit;
    figure.value += in_base_unit(sample.value, sample.metric->unit);
  }
  if (figure.missing != nullptr) {
    figure.because =
        has_samples ? "it has no sample with these labels" : why_absent(snapshot, metric);
  }
  return figure;
}

}  // namespace numaheap::stats

/// \file
/// MadeSnapshot: a snapshot by hand, under the names of real metrics; no registry has a part in it.

#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

#include "numaheap/stats/registry.hpp"

namespace numaheap::stats {

class MadeSnapshot {
 public:
  /// A label as it is written: {"node", NodeId{1}}.
  struct KeyAndLabel {
    const char* key;
    Label label;
  };

  MadeSnapshot& add(const char* name, int64_t value, Unit unit = Unit::kBytes,
                    std::initializer_list<KeyAndLabel> labels = {}) {
    Metric& metric = *metrics_.emplace_back(std::make_shared<Metric>());
    metric.name = name;
    metric.help = "";
    metric.unit = unit;
    Sample sample{.metric = &metric, .value = value};
    size_t i = 0;
    for (const KeyAndLabel& one : labels) {
      metric.label_keys[i] = one.key;
      sample.labels[i++] = one.label;
    }
    samples_.push_back(sample);
    return *this;
  }
  /// Instead of the samples of that name that there are.
  MadeSnapshot& set(const char* name, int64_t value, Unit unit = Unit::kBytes) {
    remove(name);
    return add(name, value, unit);
  }
  MadeSnapshot& remove(std::string_view name) {
    std::erase_if(samples_, [&](const Sample& sample) { return name == sample.metric->name; });
    return *this;
  }
  [[nodiscard]] Snapshot get() const { return {.samples = samples_}; }

 private:
  std::vector<std::shared_ptr<Metric>> metrics_;
  std::vector<Sample> samples_;
};

}  // namespace numaheap::stats

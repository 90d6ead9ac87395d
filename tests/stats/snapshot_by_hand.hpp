/// \file
/// A snapshot made by hand, for tests of renderings: they need no registry.

#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <initializer_list>
#include <string>
#include <vector>

#include "numaheap/stats/registry.hpp"

namespace numaheap::stats::tests {

class SnapshotByHand {
 public:
  /// \param metric  must live as long as this.
  void add(const Metric& metric, int64_t value, std::initializer_list<Label> labels = {},
           std::chrono::nanoseconds age = {}) {
    Sample sample{.metric = &metric, .value = value, .age = age};
    std::copy(labels.begin(), labels.end(), sample.labels.begin());
    samples_.push_back(sample);
  }
  /// A gauge in bytes without labels, by its name.
  void add_bytes(const char* name, int64_t value) {
    add(metrics_.emplace_back(name).metric, value);
  }
  void add_absent(const Metric& metric, const char* why) { absences_.push_back({&metric, why}); }

  [[nodiscard]] Snapshot snapshot() const {
    return {.samples = samples_,
            .left_out = left_out,
            .scan = std::chrono::microseconds(42),
            .absent = absences_};
  }
  [[nodiscard]] std::string rendered(size_t (*render)(const Snapshot&, char*, size_t)) const {
    std::string text(render(snapshot(), nullptr, 0), '?');
    EXPECT_EQ(render(snapshot(), text.data(), text.size() + 1), text.size());
    return text;
  }

  size_t left_out = 0;

 private:
  struct Bytes {
    explicit Bytes(const char* name)
        : metric{.name = name, .help = "Made up.", .unit = Unit::kBytes} {}
    Metric metric;
  };
  std::deque<Bytes> metrics_;  // whose elements stay where they are
  std::vector<Sample> samples_;
  std::vector<Absence> absences_;
};

}  // namespace numaheap::stats::tests

/// \file
/// What a published snapshot looks like in shared memory: between processes of one machine, so in its own byte order.
///
/// A SegmentHeader, then at the offsets that it names: the metrics, the samples, the metrics that have none, and the texts
/// of all, each ended by a zero byte. A text is named by its offset into the texts; offset 0 is the empty one. The header's sequence is odd while
/// somebody writes; a reader copies all of it and takes the copy when the sequence was even and the same before and
/// after. A reader trusts no figure of it: the writer may be any program.

#pragma once

#include <atomic>
#include <cstdint>

#include "numaheap/stats/metric.hpp"
#include "numaheap/stats/range_map.hpp"

namespace numaheap::stats {

/// As memfd_create(2) is told; /proc/PID/fd shows it as "/memfd:numaheap (deleted)".
inline constexpr char kSegmentName[] = "numaheap";
inline constexpr uint64_t kSegmentMagic = 0x70616568616d756e;  // "numaheap"
/// Grows with every change of what follows.
inline constexpr uint32_t kSegmentLayout = 2;
inline constexpr uint32_t kSegmentBytes = 1u << 20;

struct SegmentHeader {
  uint64_t magic;
  uint32_t layout;
  uint32_t pid;  ///< Of who writes: a forked child that inherited the file has none of its own.
  std::atomic<uint64_t> sequence;
  int64_t published_ns;  ///< CLOCK_MONOTONIC, which all processes of a machine share.
  int64_t scan_ns;
  uint32_t left_out;
  uint32_t metric_count;
  uint32_t metrics_at;
  uint32_t sample_count;
  uint32_t samples_at;
  uint32_t absence_count;
  uint32_t absences_at;
  uint32_t texts_at;
  uint32_t text_bytes;
  /// CLOCK_MONOTONIC: until then the maps are drawn, too. A viewer writes it, and nothing else.
  std::atomic<int64_t> map_wanted_until_ns;
};

struct SegmentMetric {
  uint32_t name;
  uint32_t help;
  uint32_t label_keys[kMaxLabels];
  uint8_t unit;
  uint8_t type;
  uint8_t source;
  uint8_t detail;
};

struct SegmentLabel {
  uint64_t value;  ///< The number, or the text's offset.
  uint64_t kind;
};

struct SegmentSample {
  int64_t value;
  int64_t age_ns;
  uint64_t metric;  ///< Its index.
  SegmentLabel labels[kMaxLabels];
};

struct SegmentAbsence {
  uint32_t metric;  ///< Its index.
  uint32_t why;
};

/// Maps are in a memfd of this name: a MapSegmentHeader, and from kMapsAt on a SegmentMap for each range. A map that was
/// never published has the sequence 0.
inline constexpr char kMapSegmentName[] = "numaheap-map";
inline constexpr size_t kMapsAt = 4096;

struct MapSegmentHeader {
  uint64_t magic;
  uint32_t layout;  ///< kSegmentLayout, too.
  uint32_t pid;
  uint32_t ranges;
};

struct SegmentMap {
  std::atomic<uint64_t> sequence;  ///< As SegmentHeader's.
  int64_t published_ns;
  RangeMap map;
  MapCell cells[RangeMap::kMostCells];
};

}  // namespace numaheap::stats

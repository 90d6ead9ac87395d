/// \file
/// Metric: the description of one figure, and how it is read. Made once, in static storage, by the
/// component that owns the figure; every rendering (INFO, OpenMetrics, JSON, text) comes from it.
///
///     constinit Metric spilled{
///         .name = "numaheap_spilled_bytes", .help = "Bytes of the node's range that lie on another node.",
///         .unit = Unit::kBytes, .source = Source::kEstimate, .label_keys = {"node"},
///         .read = [](void*, Emitter& out) noexcept { out.emit(sampled_bytes(), {NodeId{0}}); }};
///     register_metric(spilled);
///
/// Figures that come out of one scan share it: one metric of the group has a `read`, which emits for
/// all of them; the others are registered without one. The one with the `read` has the lowest detail
/// of its group, since with it the whole group is left out of a snapshot.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "numaheap/base/api.h"
#include "numaheap/base/node_id.hpp"

namespace numaheap::stats {

class Emitter;

/// What a value counts. A value is always a whole number of these.
enum class Unit : uint8_t {
  kCount,
  kBytes,
  kBytesPerSecond,
  kNanoseconds,  ///< A duration.
  kUnixSeconds,  ///< A point in time.
  kMillionths,   ///< A ratio: 1'000'000 is one.
};

enum class Type : uint8_t {
  kGauge,    ///< Goes both ways.
  kCounter,  ///< Only grows while the process lives.
  kInfo,     ///< The labels are the message, the value is 1.
};

/// Where the figure comes from; every rendering can tell.
enum class Source : uint8_t {
  kOwnBooks,  ///< Counted by us, exact when nothing runs.
  kKernel,    ///< Asked of the kernel.
  kHardware,  ///< A hardware counter.
  kHost,      ///< Told by the program that uses the heap.
  kEstimate,  ///< Sampled or derived.
};

/// How much there is of it. A snapshot is asked for up to one of these.
enum class Detail : uint8_t {
  kSummary,   ///< A few values: per process, per node.
  kPerClass,  ///< Per size class (and node).
  kPerThread,
};

NH_API const char* name(Unit unit) noexcept;
NH_API const char* name(Type type) noexcept;
NH_API const char* name(Source source) noexcept;

/// One label's value: a number, a node, or a text in static storage.
class Label {
 public:
  enum class Kind : uint8_t { kNone, kNumber, kText };

  constexpr Label() : number_(0) {}
  constexpr Label(uint64_t number)
      : kind_(Kind::kNumber), number_(number) {}  // NOLINT: reads as the value it is
  constexpr Label(NodeId node)
      : kind_(Kind::kNumber), number_(node.value) {}  // NOLINT: reads as the value it is
  constexpr Label(const char* text)
      : kind_(Kind::kText), text_(text) {}  // NOLINT: reads as the value it is

  [[nodiscard]] constexpr Kind kind() const { return kind_; }
  /// \pre kind() == Kind::kNumber.
  [[nodiscard]] constexpr uint64_t number() const { return number_; }
  /// \pre kind() == Kind::kText.
  [[nodiscard]] constexpr const char* text() const { return text_; }
  [[nodiscard]] NH_API bool operator==(const Label& other) const noexcept;

 private:
  Kind kind_ = Kind::kNone;
  union {
    uint64_t number_;
    const char* text_;
  };
};

inline constexpr size_t kMaxLabels = 3;

struct Metric {
  /// As OpenMetrics has it: prefix, words, unit ("numaheap_live_bytes"), without "_total".
  const char* name;
  /// One sentence: what it is.
  const char* help;
  /// What it leaves out, and what to do about it, for the page of all metrics; null: nothing more to say.
  const char* notes = nullptr;
  Unit unit = Unit::kCount;
  Type type = Type::kGauge;
  Source source = Source::kOwnBooks;
  Detail detail = Detail::kSummary;
  std::array<const char*, kMaxLabels> label_keys{};  ///< Unused ones are null and stand last.
  /// Emits the samples of this metric (and of its group). Runs on the thread that takes the
  /// snapshot, at any time, also on several threads at once. Must not allocate and must not wait
  /// for a lock that an allocation may hold. What cannot be measured now is not emitted; it is
  /// never emitted as 0. Null in all but one metric of a group.
  void (*read)(void* context, Emitter& out) noexcept = nullptr;
  void* context = nullptr;
  /// Says why there is no sample now, as a text in static storage. Called as `read` is, and only when
  /// there is none. Null: nothing is known but that there is none.
  const char* (*why)(void* context) noexcept = nullptr;

  [[nodiscard]] constexpr size_t label_count() const {
    size_t n = 0;
    while (n < kMaxLabels && label_keys[n] != nullptr) ++n;
    return n;
  }

  // The registry's own.
  std::atomic<Metric*> next{nullptr};
  std::atomic<bool> registered{false};
};

}  // namespace numaheap::stats

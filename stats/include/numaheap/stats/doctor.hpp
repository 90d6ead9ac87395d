/// \file
/// Doctor: what is wrong with a process' memory, by rules over a snapshot and the kernel's facts, as data: Redis' nine
/// rules of MEMORY DOCTOR at their thresholds, and ours.
///
///     Doctor doctor;
///     const Diagnosis diagnosis = doctor.examine(take_snapshot(memory), read_kernel_facts(FactsEffort::kAll), now);
///     render_diagnosis(diagnosis, text, sizeof text);
///
/// Invariant: each rule has a verdict: fine, found, or not examined and why. A rule whose figures are missing is never
/// fine. Values are in base units: bytes, seconds, ratios (1 is one), counts.
/// Threads: one at a time per Doctor. Cost: a walk over the snapshot per figure; nothing here allocates or reads a clock.
/// Source: Redis' MEMORY DOCTOR (object.c, getMemoryDoctorReport) for the conditions of the first nine.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "numaheap/base/api.h"
#include "numaheap/base/node_id.hpp"
#include "numaheap/stats/kernel_facts.hpp"
#include "numaheap/stats/registry.hpp"

namespace numaheap::stats {

enum class Severity : uint8_t {
  kNotice,    ///< Good to know.
  kWarning,   ///< Costs memory or speed.
  kCritical,  ///< May stop the process or make it very slow.
};
NH_API const char* name(Severity severity) noexcept;

/// In the order of doctor_rules(); the first nine are Redis'.
enum class Rule : uint8_t {
  kEmpty,
  kBigPeak,
  kHighRss,
  kAllocatorFragmentation,
  kAllocatorRss,
  kProcessRss,
  kClientBuffers,
  kReplicaBuffers,
  kScripts,
  kRemoteFrees,
  kSpill,
  kFullRange,
  kSwap,
  kHugePageBloat,
  kMapCount,
  kLazyfreeBacklog,
  kCacheOverhead,
  kBandwidth,
  kAutoNuma,
  kDefragWaste,
};
inline constexpr size_t kRules = 20;

/// What a rule finds, when, and what to do about it.
struct RuleInfo {
  Rule rule;
  const char* id;  ///< "big-peak": in settings, JSON and text.
  Severity severity;
  const char* value_text;   ///< What the value is: "peak of live bytes / live bytes".
  Unit unit;                ///< Of the value; kMillionths is a ratio.
  bool below;               ///< Found below the threshold; otherwise above. Never at it.
  double threshold;         ///< As shipped.
  const char* amount_text;  ///< What must be above `least` bytes as well; nullptr: nothing.
  double least;
  const char* problem;  ///< A sentence.
  const char* advice;   ///< One or some.
};
NH_API std::span<const RuleInfo, kRules> doctor_rules() noexcept;

struct Threshold {
  double value = 0;
  double least = 0;  ///< Bytes; only where RuleInfo::amount_text is not null.
  bool is_on = true;
};

/// By rule; at first as shipped.
struct Thresholds {
  NH_API Thresholds() noexcept;
  [[nodiscard]] Threshold& operator[](Rule rule) noexcept { return of[static_cast<size_t>(rule)]; }
  [[nodiscard]] const Threshold& operator[](Rule rule) const noexcept {
    return of[static_cast<size_t>(rule)];
  }
  std::array<Threshold, kRules> of;
};

/// Changes thresholds: "big-peak=2", "high-rss.bytes=100MiB", "map-count=80%", "scripts=off" or "=on"; several, with
/// blanks, commas or line ends between them.
/// \param error  gets a sentence that names what is not accepted and what is; cut if there is no room.
/// \returns false, and changes nothing, if something is not accepted.
NH_API bool set_thresholds(Thresholds& thresholds, std::string_view text,
                           std::span<char> error) noexcept;

enum class Verdict : uint8_t { kFine, kFound, kNotExamined };
NH_API const char* name(Verdict verdict) noexcept;

/// Its texts live as long as the snapshot's.
struct Finding {
  const RuleInfo* rule = nullptr;
  Verdict verdict = Verdict::kNotExamined;
  Severity severity = Severity::kNotice;  ///< May be another than the rule's.
  double value = 0;                       ///< In rule->unit; unless not examined.
  Threshold threshold;
  std::optional<double> amount;      ///< Bytes, where the rule has one and it is known.
  NodeId node = kNoNode;             ///< The worst one, where the rule looks at each.
  std::chrono::nanoseconds held{0};  ///< Since the first examination in a row that found it.
  const char* missing = nullptr;     ///< Not examined: the figure that is not there, or nullptr ...
  const char* not_examined_because = nullptr;  ///< ... and why.
};

struct Diagnosis {
  std::array<Finding, kRules> findings;  ///< By rule.

  [[nodiscard]] const Finding& operator[](Rule rule) const& noexcept {
    return findings[static_cast<size_t>(rule)];
  }
  [[nodiscard]] Finding operator[](Rule rule) && noexcept {
    return findings[static_cast<size_t>(rule)];
  }
  [[nodiscard]] NH_API size_t count(Verdict verdict) const noexcept;
};

class Doctor {
 public:
  /// What counters tell is about the last one to two of these, if examined that often; at the first examination, about
  /// the time since the process' start.
  static constexpr std::chrono::nanoseconds kWindow = std::chrono::minutes(1);

  explicit Doctor(const Thresholds& thresholds = Thresholds()) noexcept : thresholds_(thresholds) {}

  /// \param snapshot  of Detail::kSummary or more.
  /// \param now       of any clock that does not run backwards.
  [[nodiscard]] NH_API Diagnosis examine(const Snapshot& snapshot, const KernelFacts& facts,
                                         std::chrono::nanoseconds now) noexcept;

  /// Counters at some time; 0 before there were any.
  struct Totals {
    double returned = 0;
    double freed_remote = 0;
    double defrag_moved = 0;
    double defrag_reclaimed = 0;
  };

 private:
  /// \returns the totals that the rules compare with: between one and two windows old.
  const Totals& look_back(const Totals& totals, std::chrono::nanoseconds now) noexcept;

  Thresholds thresholds_;
  std::array<std::optional<std::chrono::nanoseconds>, kRules> found_since_{};
  Totals older_;
  Totals newer_;
  std::optional<std::chrono::nanoseconds> newer_at_;
};

/// Plain sentences, a line each: what was found (with value, threshold, since when and what to do), then what was not
/// examined and why. As snprintf: \returns the length without the terminator, which may be more than `size`.
NH_API size_t render_diagnosis(const Diagnosis& diagnosis, char* buffer, size_t size) noexcept;

/// {"rules":[{"id":"big-peak","verdict":"found","severity":"notice","value":1.8,"threshold":1.5,...},...]}, every rule.
NH_API size_t render_diagnosis_json(const Diagnosis& diagnosis, char* buffer, size_t size) noexcept;

}  // namespace numaheap::stats

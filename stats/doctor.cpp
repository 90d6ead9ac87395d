#include "numaheap/stats/doctor.hpp"

#include <algorithm>

#include "doctor_rules.hpp"

namespace numaheap::stats {

namespace {

/// These are about the process or the machine, however little is allocated.
bool is_examined_when_empty(Rule rule) noexcept {
  return rule == Rule::kEmpty || rule == Rule::kMapCount || rule == Rule::kBandwidth ||
         rule == Rule::kAutoNuma;
}

bool is_found(const RuleInfo& rule, const Threshold& threshold, const Measured& measured) noexcept {
  const bool is_beyond =
      rule.below ? measured.value < threshold.value : measured.value > threshold.value;
  const bool is_enough =
      rule.amount_text == nullptr || !measured.amount || *measured.amount > threshold.least;
  return is_beyond && is_enough;
}

/// A counter that fell is another process': it began at 0.
double growth(double now, double before) noexcept { return now < before ? now : now - before; }

}  // namespace

const char* name(Severity severity) noexcept {
  switch (severity) {
    case Severity::kNotice:
      return "notice";
    case Severity::kWarning:
      return "warning";
    case Severity::kCritical:
      return "critical";
  }
  return "unknown";
}

const char* name(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::kFine:
      return "fine";
    case Verdict::kFound:
      return "found";
    case Verdict::kNotExamined:
      return "not examined";
  }
  return "unknown";
}

Thresholds::Thresholds() noexcept {
  for (const RuleInfo& rule : doctor_rules()) {
    (*this)[rule.rule] = {.value = rule.threshold, .least = rule.least};
  }
}

size_t Diagnosis::count(Verdict verdict) const noexcept {
  return static_cast<size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [&](const Finding& finding) { return finding.verdict == verdict; }));
}

const Doctor::Totals& Doctor::look_back(const Totals& totals,
                                        std::chrono::nanoseconds now) noexcept {
  if (!newer_at_ || now - *newer_at_ >= kWindow) {
    older_ = newer_;
    newer_ = totals;
    newer_at_ = now;
  }
  return older_;
}

Diagnosis Doctor::examine(const Snapshot& snapshot, const KernelFacts& facts,
                          std::chrono::nanoseconds now) noexcept {
  const Totals totals = totals_of(snapshot);
  // Of a snapshot without room no counter is whole, and no rule looks at one.
  const Totals& before = snapshot.left_out == 0 ? look_back(totals, now) : older_;
  const Evidence evidence{
      .snapshot = snapshot,
      .facts = facts,
      .recent = {.returned = growth(totals.returned, before.returned),
                 .freed_remote = growth(totals.freed_remote, before.freed_remote),
                 .defrag_moved = growth(totals.defrag_moved, before.defrag_moved),
                 .defrag_reclaimed = growth(totals.defrag_reclaimed, before.defrag_reclaimed)}};
  Diagnosis diagnosis;
  for (const RuleInfo& rule : doctor_rules()) {
    const auto i = static_cast<size_t>(rule.rule);
    Finding& finding = diagnosis.findings[i];
    finding.rule = &rule;
    finding.severity = rule.severity;
    finding.threshold = thresholds_.of[i];
    const bool is_empty = diagnosis[Rule::kEmpty].verdict == Verdict::kFound;  // the first rule
    if (!finding.threshold.is_on) {
      finding.not_examined_because = "it is switched off";
    } else if (is_empty && !is_examined_when_empty(rule.rule)) {
      finding.not_examined_because = "hardly anything is allocated";
    } else if (const Measured measured = measure(rule.rule, evidence);
               measured.because != nullptr) {
      finding.missing = measured.missing;
      finding.not_examined_because = measured.because;
    } else {
      finding.value = measured.value;
      finding.amount = measured.amount;
      finding.node = measured.node;
      finding.severity = measured.severity.value_or(rule.severity);
      finding.verdict =
          is_found(rule, finding.threshold, measured) ? Verdict::kFound : Verdict::kFine;
    }
    if (finding.verdict != Verdict::kFound) {
      found_since_[i].reset();
      continue;
    }
    if (!found_since_[i]) found_since_[i] = now;
    finding.held = now - *found_since_[i];
  }
  return diagnosis;
}

}  // namespace numaheap::stats

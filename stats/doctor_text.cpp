#include <cmath>

#include "escaped_text.hpp"
#include "numaheap/stats/doctor.hpp"
#include "quantity.hpp"

namespace numaheap::stats {

namespace {

void write_count(TextWriter& out, size_t count, const char* one, const char* many) noexcept {
  out.number(static_cast<int64_t>(count)).text(count == 1 ? one : many);
}

/// "1.8, above 1.5; the difference 800 MiB, above 10 MiB"
void write_figures(TextWriter& out, const Finding& finding) noexcept {
  const RuleInfo& rule = *finding.rule;
  out.text(rule.value_text).text(": ");
  write_quantity(out, finding.value, rule.unit);
  out.text(rule.below ? ", below " : ", above ");
  write_quantity(out, finding.threshold.value, rule.unit);
  if (rule.amount_text == nullptr || !finding.amount) return;
  out.text("; ").text(rule.amount_text).text(": ");
  write_quantity(out, *finding.amount, Unit::kBytes);
  out.text(", above ");
  write_quantity(out, finding.threshold.least, Unit::kBytes);
}

void write_found(TextWriter& out, const Finding& finding) noexcept {
  const RuleInfo& rule = *finding.rule;
  out.text(name(finding.severity)).text(": ").text(rule.id);
  if (finding.node != kNoNode) out.text(" on node ").number(finding.node.value);
  out.text(": ").text(rule.problem).text(" (");
  write_figures(out, finding);
  out.text("; for ");
  write_duration(out, finding.held);
  out.text(".) ").text(rule.advice).text("\n");
}

bool has_reason(const Finding& finding, std::string_view reason) noexcept {
  return finding.verdict == Verdict::kNotExamined && finding.missing == nullptr &&
         finding.not_examined_because == reason;
}

/// A line for each figure that is missing; a line for all rules that another reason holds back.
void write_not_examined(TextWriter& out, const Diagnosis& diagnosis) noexcept {
  for (const Finding& finding : diagnosis.findings) {
    if (finding.verdict != Verdict::kNotExamined) continue;
    const char* const reason = finding.not_examined_because;
    if (finding.missing != nullptr) {
      out.text("not examined: ").text(finding.rule->id).text(": ").text(finding.missing);
      out.text(": ").text(reason).text(".\n");
      continue;
    }
    bool is_first = true;
    for (const Finding& other : diagnosis.findings) {
      if (!has_reason(other, reason)) continue;
      if (is_first && &other != &finding) break;  // the line was written at the first of them
      out.text(is_first ? "not examined: " : ", ").text(other.rule->id);
      is_first = false;
    }
    if (!is_first) out.text(": ").text(reason).text(".\n");
  }
}

class JsonObject {
 public:
  explicit JsonObject(TextWriter& out) noexcept : out_(out) { out_.text("{"); }
  void close() noexcept { out_.text("}"); }
  void text(const char* key, std::string_view value) noexcept {
    start(key);
    out_.text("\"");
    write_escaped(out_, value, Escaping::kJson);
    out_.text("\"");
  }
  void number(const char* key, double value) noexcept {
    start(key);
    write_number(out_, value);
  }

 private:
  void start(const char* key) noexcept {
    out_.text(is_first_ ? "\"" : ",\"").text(key).text("\":");
    is_first_ = false;
  }
  TextWriter& out_;
  bool is_first_ = true;
};

void write_json(TextWriter& out, const Finding& finding) noexcept {
  const RuleInfo& rule = *finding.rule;
  JsonObject object(out);
  object.text("id", rule.id);
  object.text("verdict", name(finding.verdict));
  object.text("severity", name(finding.severity));
  object.text("unit", rule.unit == Unit::kMillionths ? "ratio" : name(rule.unit));
  object.text("found_if", rule.below ? "below" : "above");
  object.number("threshold", finding.threshold.value);
  if (rule.amount_text != nullptr) object.number("least_bytes", finding.threshold.least);
  if (finding.verdict == Verdict::kNotExamined) {
    if (finding.missing != nullptr) object.text("missing", finding.missing);
    object.text("not_examined_because", finding.not_examined_because);
  } else {
    object.number("value", finding.value);
    if (finding.amount) object.number("bytes", *finding.amount);
    if (finding.node != kNoNode) object.number("node", finding.node.value);
  }
  if (finding.verdict == Verdict::kFound) {
    object.number("held_seconds", std::chrono::duration<double>(finding.held).count());
    object.text("problem", rule.problem);
    object.text("advice", rule.advice);
  }
  object.text("value_is", rule.value_text);
  if (rule.amount_text != nullptr) object.text("bytes_are", rule.amount_text);
  object.close();
}

}  // namespace

size_t render_diagnosis(const Diagnosis& diagnosis, char* buffer, size_t size) noexcept {
  TextWriter out(buffer, size);
  const size_t found = diagnosis.count(Verdict::kFound);
  write_count(out, found, " finding", " findings");
  write_count(out.text("; "), diagnosis.count(Verdict::kFine), " rule is fine, ",
              " rules are fine, ");
  write_count(out, diagnosis.count(Verdict::kNotExamined), " was not examined.\n",
              " were not examined.\n");
  for (const Severity severity : {Severity::kCritical, Severity::kWarning, Severity::kNotice}) {
    for (const Finding& finding : diagnosis.findings) {
      if (finding.verdict == Verdict::kFound && finding.severity == severity)
        write_found(out, finding);
    }
  }
  write_not_examined(out, diagnosis);
  return out.length();
}

size_t render_diagnosis_json(const Diagnosis& diagnosis, char* buffer, size_t size) noexcept {
  TextWriter out(buffer, size);
  out.text("{\"rules\":[");
  for (const Finding& finding : diagnosis.findings) {
    if (&finding != &diagnosis.findings.front()) out.text(",");
    write_json(out, finding);
  }
  out.text("]}\n");
  return out.length();
}

}  // namespace numaheap::stats

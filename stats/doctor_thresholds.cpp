#include "numaheap/stats/doctor.hpp"
#include "quantity.hpp"

namespace numaheap::stats {

namespace {

using std::string_view;

/// "..." with what a reader cannot tell from the sentence around it.
void quote(TextWriter& out, string_view text) noexcept {
  out.text("\"").text(text.substr(0, 80)).text("\"");
}

const RuleInfo* find_rule(string_view id) noexcept {
  for (const RuleInfo& rule : doctor_rules()) {
    if (id == rule.id) return &rule;
  }
  return nullptr;
}

bool refuse_rule(string_view id, TextWriter& error) noexcept {
  error.text("there is no rule ");
  quote(error, id);
  error.text("; accepted are ");
  for (const RuleInfo& rule : doctor_rules()) {
    if (rule.rule != Rule::kEmpty) error.text(", ");
    error.text(rule.id);
  }
  return false;
}

/// \returns false, after an error, if the value does not fit.
bool set_number(double& number, string_view name, string_view value, Unit unit,
                TextWriter& error) noexcept {
  const std::optional<Quantity> quantity = parse_quantity(value);
  if (quantity && fits(quantity->kind, unit)) {
    number = quantity->value;
    return true;
  }
  quote(error, name);
  error.text(" is set to ");
  quote(error, value);
  error.text("; accepted is ").text(accepted_for(unit));
  return false;
}

bool set_one(Thresholds& thresholds, string_view assignment, TextWriter& error) noexcept {
  constexpr string_view kBytes = ".bytes";
  const size_t equals = assignment.find('=');
  if (equals == string_view::npos || equals == 0) {
    quote(error, assignment);
    error.text(" sets nothing; accepted is RULE=VALUE, RULE.bytes=SIZE, RULE=off or RULE=on");
    return false;
  }
  const string_view name = assignment.substr(0, equals);
  const string_view value = assignment.substr(equals + 1);
  const bool is_bytes = name.ends_with(kBytes);
  const string_view id = is_bytes ? name.substr(0, name.size() - kBytes.size()) : name;
  const RuleInfo* rule = find_rule(id);
  if (rule == nullptr) return refuse_rule(id, error);
  Threshold& threshold = thresholds[rule->rule];
  if (is_bytes && rule->amount_text == nullptr) {
    quote(error, name);
    error.text(" is not there: this rule looks at one value only; accepted is ");
    error.text(rule->id).text("=VALUE");
    return false;
  }
  if (is_bytes) return set_number(threshold.least, name, value, Unit::kBytes, error);
  if (value == "on" || value == "off") {
    threshold.is_on = value == "on";
    return true;
  }
  if (set_number(threshold.value, name, value, rule->unit, error)) return true;
  error.text(", on or off");
  return false;
}

}  // namespace

bool set_thresholds(Thresholds& thresholds, string_view text, std::span<char> error) noexcept {
  constexpr string_view kSeparators = ", \t\r\n";
  TextWriter out(error.data(), error.size());
  Thresholds changed = thresholds;
  for (size_t at = text.find_first_not_of(kSeparators); at != string_view::npos;) {
    const string_view one = text.substr(at, text.find_first_of(kSeparators, at) - at);
    if (!set_one(changed, one, out)) return false;
    at = text.find_first_not_of(kSeparators, at + one.size());
  }
  thresholds = changed;
  return true;
}

}  // namespace numaheap::stats

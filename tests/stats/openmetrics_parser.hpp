/// \file
/// A strict reader of OpenMetrics 1.0 text, as far as gauges, counters and infos go: it refuses what the specification
/// forbids, also where scrapers let it pass.

#pragma once

#include <cctype>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace numaheap::stats::tests {

class OpenMetricsParser {
 public:
  struct Family {
    std::string type, unit, help;
    /// By "name{label=value,...}", labels in the order of the text, values as they were before escaping.
    std::map<std::string, double> samples;
  };

  /// Throws std::runtime_error, which names the line.
  explicit OpenMetricsParser(const std::string& text) {
    if (text.empty() || text.back() != '\n') fail("the last line has no end");
    std::istringstream lines(text);
    bool ended = false;
    while (std::getline(lines, line_)) {
      ++number_;
      if (ended) fail("something stands after # EOF");
      if (line_ == "# EOF") {
        ended = true;
      } else if (line_.starts_with("# ")) {
        read_about();
      } else {
        read_sample();
      }
    }
    if (!ended) fail("there is no # EOF");
  }

  std::map<std::string, Family> families;

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error("line " + std::to_string(number_) + ": " + what + ": " + line_);
  }
  static bool is_name(const std::string& name, bool of_metric) {
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0) return false;
    for (const char c : name) {
      const bool colon = of_metric && c == ':';
      if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && !colon) return false;
    }
    return true;
  }
  static bool ends_with_unit(const std::string& name, const std::string& unit) {
    return name.ends_with("_" + unit);
  }

  /// "# TYPE name what"
  void read_about() {
    std::istringstream words(line_.substr(2));
    std::string what, name;
    words >> what >> name;
    const std::string start = "# " + what + " " + name + " ";
    if (!line_.starts_with(start)) fail("not separated by single spaces");
    const std::string value = line_.substr(start.size());
    if (!is_name(name, true)) fail("no name of a family");
    if (name != open_) {
      if (families.count(name) != 0) fail("the family was there before");
      open_ = name;
      families[name];
    }
    Family& family = families[name];
    if (!family.samples.empty()) fail("stands after the family's samples");
    std::string* field = what == "TYPE"   ? &family.type
                         : what == "UNIT" ? &family.unit
                         : what == "HELP" ? &family.help
                                          : nullptr;
    if (field == nullptr) fail("neither TYPE, UNIT nor HELP");
    if (!field->empty()) fail("said twice");
    if (value.empty()) fail("says nothing");
    *field = what == "HELP" ? unescaped(value) : value;
    if (what == "TYPE" && value != "gauge" && value != "counter" && value != "info")
      fail("unknown type");
    if (what == "UNIT" && !ends_with_unit(name, value)) fail("the name does not end with its unit");
    if (family.type == "info" && !family.unit.empty()) fail("an info has no unit");
  }

  std::string unescaped(const std::string& text) const {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '"') fail("a quote that is not escaped");
      if (text[i] != '\\') {
        result += text[i];
        continue;
      }
      if (++i == text.size()) fail("ends inside an escape");
      if (text[i] != 'n' && text[i] != '"' && text[i] != '\\') fail("unknown escape");
      result += text[i] == 'n' ? '\n' : text[i];
    }
    return result;
  }

  /// "name{key=\"value\",...} number"
  void read_sample() {
    const size_t name_end = line_.find_first_of("{ ");
    if (name_end == std::string::npos) fail("no value");
    const std::string name = line_.substr(0, name_end);
    if (!is_name(name, true)) fail("no name of a sample");
    if (open_.empty()) fail("a sample without a family");
    Family& family = families[open_];
    const std::string suffix = family.type == "counter" ? "_total"
                               : family.type == "info"  ? "_info"
                                                        : "";
    if (name != open_ + suffix) fail("the name is not that of the family with its suffix");
    size_t at = name_end;
    std::string series = name;
    if (line_[at] == '{') series += read_labels(at);
    if (line_.compare(at, 1, " ") != 0) fail("no single space before the value");
    const std::string number = line_.substr(at + 1);
    char* end = nullptr;
    const double value = std::strtod(number.c_str(), &end);
    if (number.empty() || *end != 0 || std::isspace(static_cast<unsigned char>(number[0])) != 0)
      fail("no number");
    if (family.type == "counter" && !(value >= 0)) fail("a counter below 0");
    if (family.type == "info" && value != 1) fail("an info that is not 1");
    if (!family.samples.emplace(series, value).second) fail("the series was there before");
  }

  std::string read_labels(size_t& at) const {
    std::string series = "{";
    std::set<std::string> keys;
    do {
      const size_t equals = line_.find("=\"", ++at);
      if (equals == std::string::npos) fail("a label without a value");
      const std::string key = line_.substr(at, equals - at);
      if (!is_name(key, false) || key.starts_with("__")) fail("no name of a label");
      if (!keys.insert(key).second) fail("a label twice");
      size_t close = equals + 2;
      while (close < line_.size() && line_[close] != '"') close += line_[close] == '\\' ? 2 : 1;
      if (close >= line_.size()) fail("a label's value does not end");
      series += (series.size() > 1 ? "," : "") + key + "=" +
                unescaped(line_.substr(equals + 2, close - equals - 2));
      at = close + 1;
    } while (at < line_.size() && line_[at] == ',');
    if (at >= line_.size() || line_[at] != '}') fail("the labels do not end");
    ++at;
    return series + "}";
  }

  std::string line_;
  std::string open_;
  size_t number_ = 0;
};

}  // namespace numaheap::stats::tests

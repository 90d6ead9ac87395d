#include "control.hpp"

#include <errno.h>
#include <string.h>

#include <string_view>

#include "numaheap/base/api.h"

namespace numaheap::preload {
namespace {

constexpr size_t kMaxDepth = 7;  // one more than "stats.arenas.*.bins.*.curregs" has

/// Takes the first component off a name.
std::string_view next_component(std::string_view& rest) {
  const size_t dot = rest.find('.');
  const std::string_view component = rest.substr(0, dot);
  rest.remove_prefix(dot == std::string_view::npos ? rest.size() : dot + 1);
  return component;
}

/// \returns false if it is no number that fits.
bool parse_number(std::string_view text, size_t& number) {
  if (text.empty()) return false;
  number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || __builtin_mul_overflow(number, size_t{10}, &number) ||
        __builtin_add_overflow(number, static_cast<size_t>(c - '0'), &number)) {
      return false;
    }
  }
  return true;
}

/// The rows that a name may still mean, after some of its components.
class Candidates {
 public:
  explicit Candidates(std::span<const ControlName> rows) : rows_(rows), last_(rows.size()) {}

  /// Goes on by a whole name, `depth` components of it at most; says how many there were.
  bool advance(std::string_view name, size_t* mib, size_t& depth) {
    const size_t most = depth;
    depth = 0;
    if (name.ends_with('.')) return false;
    for (; depth < most && !name.empty(); ++depth) {
      if (!advance(next_component(name), mib[depth])) return false;
    }
    return true;
  }

  /// Goes on by a component as written. \returns false if there is none such; else `step` is its number in a MIB.
  bool advance(std::string_view component, size_t& step) {
    if (at_name()) return false;
    if (next_is_number()) {
      if (!parse_number(component, step)) return false;
      note_number(step);
    } else {
      size_t first = first_;
      while (first < last_ && word(first) != component) ++first;
      if (first == last_) return false;
      step = first;
      narrow(first);
    }
    ++depth_;
    return true;
  }

  /// Goes on by a component's number.
  bool advance(size_t step) {
    if (at_name()) return false;
    if (next_is_number()) {
      note_number(step);
    } else {
      // Only the first row of those that share the component stands for it.
      if (step < first_ || step >= last_ || (step > first_ && word(step) == word(step - 1)))
        return false;
      narrow(step);
    }
    ++depth_;
    return true;
  }

  /// Whether the components so far are a whole name.
  [[nodiscard]] bool at_name() const { return depth_ != 0 && word(first_).empty(); }
  /// \pre at_name().
  int answer(Question& question) const {
    memcpy(question.index, numbers_, sizeof numbers_);
    return rows_[first_].answer(question);
  }

 private:
  /// The component of a row that comes next; empty at its end.
  [[nodiscard]] std::string_view word(size_t row) const {
    std::string_view rest = rows_[row].pattern;
    for (size_t i = 0; i < depth_; ++i) next_component(rest);
    return next_component(rest);
  }
  [[nodiscard]] bool next_is_number() const { return word(first_) == "*"; }
  void note_number(size_t number) { numbers_[numbers_seen_++] = number; }
  void narrow(size_t first) {
    const std::string_view shared = word(first);
    size_t last = first + 1;
    while (last < last_ && word(last) == shared) ++last;
    first_ = first;
    last_ = last;
  }

  std::span<const ControlName> rows_;
  size_t first_ = 0;
  size_t last_;
  size_t depth_ = 0;
  size_t numbers_[2] = {};
  size_t numbers_seen_ = 0;
};

/// jemalloc takes new_value as not const, and so must the functions that stand in for its own; nothing writes there.
Question question_of(void* old_value, size_t* old_size, const void* new_value, size_t new_size) {
  return {{0, 0}, old_value, old_size, new_value, new_size};
}

}  // namespace
}  // namespace numaheap::preload

using namespace numaheap::preload;

extern "C" {

NH_API int mallctl(const char* name, void* old_value, size_t* old_size, void* new_value,
                   size_t new_size) noexcept {
  size_t mib[kMaxDepth];
  size_t depth = kMaxDepth;
  Candidates candidates(control_names());
  if (!candidates.advance(name, mib, depth) || !candidates.at_name()) return ENOENT;
  Question question = question_of(old_value, old_size, new_value, new_size);
  return candidates.answer(question);
}

/// A MIB that is shorter than the name gets the first numbers, for who completes it by hand.
NH_API int mallctlnametomib(const char* name, size_t* mib, size_t* mib_length) noexcept {
  const size_t room = *mib_length;
  Candidates candidates(control_names());
  if (!candidates.advance(name, mib, *mib_length)) return ENOENT;
  return *mib_length == room || candidates.at_name() ? 0 : ENOENT;
}

NH_API int mallctlbymib(const size_t* mib, size_t mib_length, void* old_value, size_t* old_size,
                        void* new_value, size_t new_size) noexcept {
  Candidates candidates(control_names());
  for (size_t i = 0; i < mib_length; ++i) {
    if (!candidates.advance(mib[i])) return ENOENT;
  }
  if (!candidates.at_name()) return ENOENT;
  Question question = question_of(old_value, old_size, new_value, new_size);
  return candidates.answer(question);
}

}  // extern "C"

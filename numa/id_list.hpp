/// \file
/// IdListParser: reads a list of ids as the kernel prints it, one character at a time, so that a
/// list of 8192 CPUs needs no buffer of its length (malloc may run on a small stack).
///
/// Grammar: [item {"," item}] ["\n"], item: id | id "-" id [":" stride].

#pragma once

#include <limits>
#include <utility>

namespace numaheap::numa {

/// \tparam Insert  called as insert(unsigned id) for each id of the list, in its order.
template <class Insert>
class IdListParser {
 public:
  /// \param limit  ids of `limit` or more are refused.
  IdListParser(unsigned limit, Insert insert) noexcept
      : insert_(std::move(insert)), limit_(limit) {}

  /// \returns false if the text so far is no such list; what was inserted before stays.
  bool feed(char c) noexcept {
    if (field_ == Field::kEnded) return false;
    started_ = true;
    if (c >= '0' && c <= '9') {
      has_digits_ = true;
      value_ = value_ * 10 + static_cast<unsigned>(c - '0');
      return value_ < limit_;
    }
    switch (c) {
      case '-':
        return field_ == Field::kFirst && close_field(Field::kLast);
      case ':':
        return field_ == Field::kLast && close_field(Field::kStride);
      case ',':
        return close_item();
      case '\n': {
        const bool is_list = is_empty() || close_item();
        field_ = Field::kEnded;
        return is_list;
      }
      default:
        return false;
    }
  }

  /// The text has ended. \returns false if it is no such list.
  bool finish() noexcept { return !started_ || field_ == Field::kEnded || close_item(); }

 private:
  enum class Field { kFirst, kLast, kStride, kEnded };

  [[nodiscard]] bool is_empty() const noexcept {
    return field_ == Field::kFirst && !has_digits_ && !has_items_;
  }
  bool close_field(Field next) noexcept {
    if (!has_digits_) return false;
    bounds_[static_cast<unsigned>(field_)] = value_;
    field_ = next;
    value_ = 0;
    has_digits_ = false;
    return true;
  }
  bool close_item() noexcept {
    const Field last_field = field_;
    if (!close_field(Field::kFirst)) return false;
    has_items_ = true;
    const unsigned first = bounds_[0];
    const unsigned last = last_field == Field::kFirst ? first : bounds_[1];
    const unsigned stride = last_field == Field::kStride ? bounds_[2] : 1;
    if (last < first || stride == 0) return false;
    for (unsigned id = first; id <= last; id += stride) insert_(id);
    return true;
  }

  Insert insert_;
  unsigned limit_;
  Field field_ = Field::kFirst;
  unsigned value_ = 0;
  unsigned bounds_[3] = {};  // of the item being read: first, last, stride
  bool has_digits_ = false;
  bool has_items_ = false;
  bool started_ = false;
};

}  // namespace numaheap::numa

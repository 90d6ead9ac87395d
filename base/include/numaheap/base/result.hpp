/// \file
/// Result<T>: a value or an Error, shaped like std::expected, which our compilers lack in C++20.
///
/// An Error is {code, errno, static text}: it never allocates and is cheap to copy. The text is a whole sentence
/// without the input's name; who knows the input adds it.

#pragma once

#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "numaheap/base/check.hpp"

namespace numaheap {

enum class ErrorCode : uint8_t {
  kInvalidArgument,  ///< The caller's input is not accepted.
  kNoMemory,         ///< The kernel or a limit refused memory.
  kNotPermitted,     ///< The kernel refused for lack of a right (EPERM, EACCES, a seccomp filter).
  kNotSupported,     ///< The machine or the kernel does not have it.
  kNotFound,         ///< There is no such node, file or block.
  kSystem,           ///< Another system call error; see system_errno.
};

struct Error {
  ErrorCode code = ErrorCode::kSystem;
  int system_errno = 0;   ///< errno of the refused call, 0 if there was none.
  const char* text = "";  ///< Static storage.
};

template <class T>
class [[nodiscard]] Result {
  static_assert(std::is_nothrow_move_constructible_v<T>);

 public:
  Result(T value) noexcept : has_value_(true) {
    new (&value_) T(std::move(value));
  }                                                                   // NOLINT: as std::expected
  Result(Error error) noexcept : error_(error), has_value_(false) {}  // NOLINT: as std::expected
  Result(Result&& other) noexcept : has_value_(other.has_value_) {
    if (has_value_) {
      new (&value_) T(std::move(other.value_));
    } else {
      error_ = other.error_;
    }
  }
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  Result& operator=(Result&&) = delete;
  ~Result() {
    if (has_value_) value_.~T();
  }

  [[nodiscard]] bool has_value() const noexcept { return has_value_; }
  explicit operator bool() const noexcept { return has_value_; }
  /// \pre has_value().
  [[nodiscard]] T& value() noexcept { return NH_CHECK(has_value_), value_; }
  [[nodiscard]] const T& value() const noexcept { return NH_CHECK(has_value_), value_; }
  T& operator*() noexcept { return value(); }
  T* operator->() noexcept { return &value(); }
  const T& operator*() const noexcept { return value(); }
  const T* operator->() const noexcept { return &value(); }
  /// \pre !has_value().
  [[nodiscard]] const Error& error() const noexcept { return NH_CHECK(!has_value_), error_; }

 private:
  union {
    T value_;
    Error error_;
  };
  bool has_value_;
};

/// Success without a value.
struct Unit {};
using Status = Result<Unit>;

}  // namespace numaheap

/// \file
/// An Error as the C face tells it.

#pragma once

#include <cerrno>

#include "numaheap.h"
#include "numaheap/base/result.hpp"

namespace numaheap {

/// Sets errno where the status is NH_SYSTEM.
inline nh_status status_of(const Error& error) noexcept {
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
      return NH_INVALID_ARGUMENT;
    case ErrorCode::kNoMemory:
      return NH_NO_MEMORY;
    case ErrorCode::kNotPermitted:
      return NH_NOT_PERMITTED;
    case ErrorCode::kNotSupported:
      return NH_NOT_SUPPORTED;
    case ErrorCode::kNotFound:
      return NH_NOT_FOUND;
    case ErrorCode::kSystem:
      break;
  }
  errno = error.system_errno;
  return NH_SYSTEM;
}

template <class T>
nh_status status_of(const Result<T>& result) noexcept {
  return result ? NH_OK : status_of(result.error());
}

}  // namespace numaheap

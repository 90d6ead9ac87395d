/// \file
/// What a refused system call means to the caller: an errno as an Error.

#pragma once

#include <cerrno>

#include "numaheap/base/result.hpp"

namespace numaheap::numa {

inline Error system_error(int system_errno, const char* text) noexcept {
  ErrorCode code = ErrorCode::kSystem;
  switch (system_errno) {
    case ENOMEM:
      code = ErrorCode::kNoMemory;
      break;
    case EPERM:
    case EACCES:
      code = ErrorCode::kNotPermitted;
      break;
    case ENOSYS:
    case EOPNOTSUPP:
      code = ErrorCode::kNotSupported;
      break;
    case ENODEV:
    case ENOENT:
      code = ErrorCode::kNotFound;
      break;
    default:
      break;
  }
  return Error{code, system_errno, text};
}

}  // namespace numaheap::numa

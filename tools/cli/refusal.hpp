/// \file
/// Refusal: why the command line does not do what it was asked for, as a sentence and an exit status (env(1)'s).

#pragma once

#include <string>

namespace numaheap::cli {

inline constexpr int kDone = 0;
inline constexpr int kFound = 1;        ///< The doctor found something.
inline constexpr int kWrongInput = 2;   ///< A flag, a setting, a location or a roles file.
inline constexpr int kFailed = 125;     ///< Something that numaheap needs is not there.
inline constexpr int kCannotRun = 126;  ///< The command was found but cannot be run with numaheap.
inline constexpr int kNoSuchCommand = 127;

struct Refusal {
  int exit_status;
  std::string sentence;
};

}  // namespace numaheap::cli

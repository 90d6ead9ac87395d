/// \file
/// The program that `numaheap run` is to start: where it is, and whether LD_PRELOAD can reach it.

#pragma once

#include <optional>
#include <string>

#include "refusal.hpp"

namespace numaheap::cli {

/// Finds a command as execvp(3) does.
/// \param path  set to the file, if nothing is returned.
std::optional<Refusal> find_command(const std::string& command, std::string& path);

/// Whether the dynamic linker of this file, or of the interpreter that a script names, will load our object.
/// \returns nothing if it will, as far as can be seen.
std::optional<Refusal> check_program(const std::string& path);

}  // namespace numaheap::cli

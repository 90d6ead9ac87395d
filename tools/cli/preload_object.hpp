/// \file
/// Where libnumaheap_preload.so is, and how it gets into a program's environment.

#pragma once

#include <optional>
#include <string>

#include "refusal.hpp"

namespace numaheap::cli {

/// Finds the preload object: $NUMAHEAP_PRELOAD, else beside this executable or in the lib folder beside its folder.
/// \param path  set to its absolute path, if nothing is returned.
std::optional<Refusal> find_preload_object(std::string& path);

/// LD_PRELOAD with the object in front of what is there already.
std::string preload_list(const std::string& object);

}  // namespace numaheap::cli

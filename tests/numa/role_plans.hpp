/// \file
/// Plans and mistakes of roles files that are written in a test.

#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "numaheap/numa/roles.hpp"

namespace numaheap::tests {

inline const std::string kData = NUMAHEAP_TEST_DATA;
inline const std::string kFourNodes = "[topology]\nsource = 'numa:4 core:4 pu:1'\n";

inline std::vector<std::string> messages(const numa::RoleResult& result) {
  std::vector<std::string> texts;
  for (const numa::RoleMistake& mistake : result.mistakes) texts.push_back(to_text(mistake));
  return texts;
}

/// \pre there is no mistake in it.
inline numa::RolePlan plan_of(const std::string& toml) {
  numa::RoleResult result = numa::parse_roles(toml, "roles.toml");
  for (const std::string& text : messages(result)) ADD_FAILURE() << text;
  if (!result.plan) std::abort();
  return std::move(*result.plan);
}

}  // namespace numaheap::tests

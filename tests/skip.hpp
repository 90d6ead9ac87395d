/// \file
/// NH_SKIP(reason): skips a test that needs what the machine lacks, and says what. With NUMAHEAP_FAIL_ON_SKIP=1 in the
/// environment (runners that are meant to have it) the test fails instead: a check never passes silently.

#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

namespace numaheap::tests {

inline bool skips_are_failures() {
  const char* value = std::getenv("NUMAHEAP_FAIL_ON_SKIP");
  return value != nullptr && std::strcmp(value, "0") != 0 && *value != 0;
}

}  // namespace numaheap::tests

#define NH_SKIP(reason)                                                                       \
  do {                                                                                        \
    if (numaheap::tests::skips_are_failures()) FAIL() << "skipped, but must run: " << reason; \
    GTEST_SKIP() << reason;                                                                   \
  } while (false)

/// \file
/// How much the stress and property tests do: more with NUMAHEAP_STRESS=long in the environment, less under a sanitizer.

#pragma once

#include <cstddef>
#include <cstdlib>
#include <string_view>

#include "numa/sanitizer.hpp"

// ThreadSanitizer delivers signals late and lets no child start threads.
#if defined(__SANITIZE_THREAD__)
#define NH_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NH_THREAD_SANITIZER 1
#endif
#endif
#ifndef NH_THREAD_SANITIZER
#define NH_THREAD_SANITIZER 0
#endif

namespace numaheap::tests {

/// How often to do what runs `normal` times in a release build.
inline size_t repeated(size_t normal) {
  const char* stress = std::getenv("NUMAHEAP_STRESS");
  if (stress != nullptr && std::string_view(stress) == "long") normal *= 20;
  return NH_SANITIZED ? (normal + 7) / 8 : normal;
}

}  // namespace numaheap::tests

/// \file
/// What zmalloc's plain forms do when there is no memory, and which sizes there never is memory for.

#pragma once

#include <cstddef>
#include <cstdint>

namespace numaheap {

/// Redis' bound: from here on a size is taken for a negative number.
inline constexpr size_t kRefusedSize = SIZE_MAX / 2;

/// Calls the handler of zmalloc_set_oom_handler(), which seldom returns.
/// \returns nullptr if it does.
void* out_of_memory(size_t size) noexcept;

}  // namespace numaheap

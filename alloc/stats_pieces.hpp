/// \file
/// What the texts about the heap's books are made with: output in pieces, and the options that leave parts out.

#pragma once

#include <stdarg.h>
#include <stdio.h>

#include <cstddef>

namespace numaheap::alloc {

/// Collects text and hands it over in pieces, each ended by a zero byte. Who takes them may allocate: nothing of ours is
/// locked meanwhile.
class StatsPieces {
 public:
  using Write = void (*)(void* context, const char* text);

  StatsPieces(Write write, void* context) : write_(write), context_(context) {}
  ~StatsPieces() { flush(); }
  StatsPieces(const StatsPieces&) = delete;
  StatsPieces& operator=(const StatsPieces&) = delete;

  /// \pre the piece is shorter than half of the buffer.
  [[gnu::format(printf, 2, 3)]] void print(const char* format, ...) {
    if (used_ > sizeof buffer_ / 2) flush();
    va_list arguments;
    va_start(arguments, format);
    used_ +=
        static_cast<size_t>(vsnprintf(buffer_ + used_, sizeof buffer_ - used_, format, arguments));
    va_end(arguments);
  }
  void flush() {
    if (used_ != 0) write_(context_, buffer_);
    used_ = 0;
  }

 private:
  Write write_;
  void* context_;
  size_t used_ = 0;
  char buffer_[2048];
};

/// The letters that malloc_stats_print() takes, as jemalloc has them.
struct StatsParts {
  bool json = false;   ///< J
  bool fixed = true;   ///< g leaves out what is fixed.
  bool sums = true;    ///< m leaves out the sums over arenas.
  bool arenas = true;  ///< a leaves out each arena.
  bool bins = true;    ///< b leaves out the bins.

  /// \param options  letters, others are ignored; null: none.
  explicit StatsParts(const char* options) {
    for (const char* option = options == nullptr ? "" : options; *option != 0; ++option) {
      if (*option == 'J') json = true;
      if (*option == 'g') fixed = false;
      if (*option == 'm') sums = false;
      if (*option == 'a') arenas = false;
      if (*option == 'b') bins = false;
    }
  }
};

}  // namespace numaheap::alloc

/// \file
/// What inlined parts of the standard library call when their precondition is broken. The object has no C++ runtime
/// (see operators.cpp), and our own code breaking a precondition is a reason to stop, not to throw.

#include "numaheap/base/check.hpp"

namespace std {

[[noreturn]] void __throw_out_of_range_fmt(const char* format, ...) {
  numaheap::check_failed("standard library", 0, format);
}

}  // namespace std

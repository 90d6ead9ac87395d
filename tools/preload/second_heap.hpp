/// \file
/// A program that links libnumaheap itself has two heaps under preload: it works, and is told.

#pragma once

namespace numaheap::preload {

/// Says so on stderr if the program, or a library that is loaded with it, brings a heap of its own.
void tell_of_second_heap() noexcept;

}  // namespace numaheap::preload

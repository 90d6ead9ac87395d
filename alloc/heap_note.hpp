/// \file
/// HeapNote: an ELF note in every program and library that a heap of ours is linked into; strip(1) leaves it. So the
/// preload object can tell that a program brings one of its own.

#pragma once

#include <cstdint>

namespace numaheap::alloc {

/// As it lies in memory; a note without a description.
struct HeapNote {
  uint32_t name_bytes = sizeof name;
  uint32_t description_bytes = 0;
  uint32_t type = 1;
  char name[9] = "numaheap";
};

/// The same for the assembler. Once, in a source that every user of the heap needs: a note is no variable that C++ could
/// place, and the linker's garbage collection keeps it.
#define NH_HEAP_NOTE                          \
  ".pushsection .note.numaheap,\"a\",@note\n" \
  ".balign 4\n"                               \
  ".long 9, 0, 1\n"                           \
  ".asciz \"numaheap\"\n"                     \
  ".balign 4\n"                               \
  ".popsection\n"

}  // namespace numaheap::alloc

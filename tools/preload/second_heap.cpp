#include "second_heap.hpp"

#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "heap_note.hpp"
#include "message.hpp"

namespace numaheap::preload {
namespace {

bool has_heap_note(uintptr_t notes, size_t bytes) {
  const alloc::HeapNote wanted;
  constexpr size_t kHeader = offsetof(alloc::HeapNote, name);
  for (size_t at = 0; at + sizeof wanted <= bytes;) {
    alloc::HeapNote note;
    memcpy(&note, reinterpret_cast<const void*>(notes + at), sizeof note);
    if (note.name_bytes == wanted.name_bytes && note.type == wanted.type &&
        memcmp(note.name, wanted.name, sizeof wanted.name) == 0) {
      return true;
    }
    const auto padded = [](uint32_t n) { return (size_t{n} + 3) & ~size_t{3}; };
    at += kHeader + padded(note.name_bytes) + padded(note.description_bytes);
  }
  return false;
}

/// What dl_iterate_phdr(3) calls for every loaded object: tells of the first that has a heap and is not this one.
int look_at_object(dl_phdr_info* object, size_t /*size*/, void* /*context*/) {
  bool has_heap = false;
  const auto self = reinterpret_cast<uintptr_t>(&look_at_object);
  for (unsigned i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    const uintptr_t start = object->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && self - start < segment.p_memsz) return 0;
    if (segment.p_type == PT_NOTE) has_heap = has_heap || has_heap_note(start, segment.p_memsz);
  }
  if (!has_heap) return 0;
  print_line(
      "note: %s has a heap of numaheap itself: what it takes by numaheap's own calls comes from "
      "that one, what it "
      "takes by malloc from this one; each has its own books and limits",
      object->dlpi_name[0] != 0 ? object->dlpi_name : "the program");
  return 1;
}

}  // namespace

void tell_of_second_heap() noexcept { dl_iterate_phdr(look_at_object, nullptr); }

}  // namespace numaheap::preload

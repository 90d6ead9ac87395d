/// \file
/// Allocator<T>: a standard allocator with a placement, for containers that are to lie on a node.
///
///     std::vector<Row, numaheap::Allocator<Row>> rows(numaheap::Placement::node({1}));
///
/// Any instance frees what another allocated, since an address says where it belongs: so all compare equal, and moving
/// or swapping a container hands its memory over without a copy. The placement then goes with the memory; a copied
/// container takes the placement of its source, and copy assignment leaves the destination's as it is.
///
/// Threads: as the container. Cost: as allocate() and the sized deallocate(), which inline for known sizes. This header
/// throws std::bad_alloc in the user's code; the library itself never throws.

#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

#include "numaheap/alloc.hpp"
#include "numaheap/placement.hpp"

namespace numaheap {

template <class T>
class Allocator {
 public:
  using value_type = T;
  using is_always_equal = std::true_type;
  using propagate_on_container_copy_assignment = std::false_type;
  using propagate_on_container_move_assignment = std::true_type;
  using propagate_on_container_swap = std::true_type;

  constexpr Allocator() noexcept = default;
  constexpr Allocator(
      Placement placement) noexcept  // NOLINT: a placement is all there is to an allocator
      : placement_(placement) {}
  template <class U>
  constexpr Allocator(const Allocator<U>& other) noexcept
      : placement_(other.placement()) {}  // NOLINT: as std::allocator

  /// Memory for `count` objects, aligned for T.
  /// \throws std::bad_array_new_length if count * sizeof(T) overflows, std::bad_alloc if there is no memory or no such
  ///         node.
  [[nodiscard]] T* allocate(size_t count) {
    if (count > SIZE_MAX / sizeof(T)) throw std::bad_array_new_length();
    void* block = nullptr;
    if constexpr (kOverAligned) {
      block = allocate_on(placement_, count * sizeof(T), alignof(T));
    } else if (placement_.kind() == Placement::Kind::kLocal) {
      block = numaheap::allocate(count * sizeof(T));
    } else {
      block = allocate_on(placement_, count * sizeof(T));
    }
    if (block == nullptr) throw std::bad_alloc();
    return static_cast<T*>(block);
  }

  /// \pre allocate(count) of any Allocator<T> returned `objects`.
  void deallocate(T* objects, size_t count) noexcept {
    if constexpr (kOverAligned) {
      numaheap::deallocate(objects, count * sizeof(T), alignof(T));
    } else {
      numaheap::deallocate(objects, count * sizeof(T));
    }
  }

  [[nodiscard]] constexpr Placement placement() const noexcept { return placement_; }

  /// Always: either frees what the other allocated. Compare placement() to know where they allocate.
  template <class U>
  constexpr bool operator==(const Allocator<U>&) const noexcept {
    return true;
  }

 private:
  /// Blocks of up to 8 bytes are aligned to 8, others to 16: enough for what is no larger than that.
  static constexpr bool kOverAligned = alignof(T) > 16;

  Placement placement_ = Placement::local();
};

}  // namespace numaheap

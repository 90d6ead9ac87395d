/// \file
/// MemoryResource: a std::pmr::memory_resource with a placement.
///
/// Two are equal if they place alike: a polymorphic container keeps its resource for life, so that memory moves from
/// one container into another only where it lies right; else the elements are moved one by one.
///
/// Threads: any number at once. It must outlive what it allocated, as any memory resource. Throws std::bad_alloc in the
/// user's code; the library itself never throws.

#pragma once

#include <cstddef>
#include <memory_resource>
#include <new>

#include "numaheap/alloc.hpp"
#include "numaheap/placement.hpp"

namespace numaheap {

class MemoryResource final : public std::pmr::memory_resource {
 public:
  explicit MemoryResource(Placement placement = Placement::local()) noexcept
      : placement_(placement) {}

  [[nodiscard]] Placement placement() const noexcept { return placement_; }

 private:
  void* do_allocate(size_t bytes, size_t alignment) override {
    void* block = placement_.kind() == Placement::Kind::kLocal && is_usual(bytes, alignment)
                      ? numaheap::allocate(bytes)
                      : allocate_on(placement_, bytes, alignment);
    if (block == nullptr) throw std::bad_alloc();
    return block;
  }

  void do_deallocate(void* block, size_t bytes, size_t alignment) override {
    if (is_usual(bytes, alignment)) {
      numaheap::deallocate(block, bytes);
    } else {
      numaheap::deallocate(block, bytes, alignment);
    }
  }

  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    const auto* resource = dynamic_cast<const MemoryResource*>(&other);
    return resource != nullptr && resource->placement_ == placement_;
  }

  /// Served as without an alignment: the block has it anyway, and the same class either way.
  static bool is_usual(size_t bytes, size_t alignment) noexcept {
    return alignment <= 8 || (alignment == 16 && bytes > 8);
  }

  Placement placement_;
};

}  // namespace numaheap

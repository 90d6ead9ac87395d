#include "jemalloc/extent_usage.hpp"

#include "jemalloc/private_jemalloc.hpp"

namespace numaheap::alloc::jemalloc {

ExtentUsage::Slots ExtentUsage::read(const void* address) noexcept {
  if (path_length_ == 0) {
    path_length_ = sizeof path_ / sizeof path_[0];
    if (nh_je_mallctlnametomib("experimental.utilization.batch_query", path_, &path_length_) != 0) {
      path_length_ = 0;
      return {};
    }
  }
  Slots slots;
  static_assert(sizeof slots == 3 * sizeof(size_t));  // as jemalloc writes it
  size_t size = sizeof slots;
  const int error =
      nh_je_mallctlbymib(path_, path_length_, &slots, &size, &address, sizeof address);
  return error == 0 ? slots : Slots{};
}

}  // namespace numaheap::alloc::jemalloc

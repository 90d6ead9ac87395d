#include "numaheap/detail/fast_path.hpp"

namespace numaheap::detail {

constinit const std::array<SizeClass, kMaxSmall / 8 + 1> nh_class_table_abi1 = [] {
  std::array<SizeClass, kMaxSmall / 8 + 1> classes{};
  for (size_t i = 0; i < classes.size(); ++i) classes[i] = class_of(i * 8);
  return classes;
}();

}  // namespace numaheap::detail

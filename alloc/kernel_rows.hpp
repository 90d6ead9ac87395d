/// \file
/// KernelRows: zeroed memory for rows whose number is known only at run time, from the kernel: who reads the heap's
/// figures must not use the heap for it.

#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <span>

namespace numaheap::alloc {

/// \tparam Row  for which zero bytes are a value, and which needs no destructor.
template <class Row>
class KernelRows {
 public:
  explicit KernelRows(size_t count) noexcept : bytes_(count * sizeof(Row)) {
    if (count == 0) return;
    void* memory =
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) rows_ = {static_cast<Row*>(memory), count};
  }
  ~KernelRows() {
    if (!rows_.empty()) munmap(rows_.data(), bytes_);
  }
  KernelRows(const KernelRows&) = delete;
  KernelRows& operator=(const KernelRows&) = delete;

  /// Empty if the kernel refused.
  [[nodiscard]] std::span<Row> span() const noexcept { return rows_; }

 private:
  std::span<Row> rows_;
  size_t bytes_;
};

}  // namespace numaheap::alloc

/// \file
/// Run: one measured row of the workloads, and what every row needs: memory that is not the measured allocator's, fixed
/// random numbers, and calls that the compiler may not remove.
///
/// Cost figures are CPU time of the whole process (user and system, all threads), since that does not count what other
/// processes take; wall time stands beside it.

#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace numaheap::bench {

/// Ends the program with a sentence on stderr and status 1.
[[noreturn]] void fail(const char* what);

/// What a stretch of work cost.
struct Cost {
  double user_ns = 0;
  double system_ns = 0;
  double wall_ns = 0;
  [[nodiscard]] double cpu_ns() const { return user_ns + system_ns; }
};

/// Resident memory after one phase of a row.
struct Phase {
  std::string name;
  uint64_t resident_bytes;  ///< Above what the process had before its first block.
  uint64_t live_bytes;      ///< As asked for.
  double cpu_ns;            ///< Per object of this phase; 0 where no object was touched.
};

class Run {
 public:
  explicit Run(double seconds) : seconds_(seconds) {}

  /// Calls `body(rounds)`, which returns how many operations it did, with growing rounds until one call can take the
  /// wanted CPU time, and measures that call. So the earlier calls are its warm-up.
  void measure(const std::function<uint64_t(uint64_t rounds)>& body);
  /// Measures one call of what cannot be repeated: a first touch, a phase.
  Cost measure_once(const std::function<uint64_t()>& body);
  void add_phase(Phase phase) { phases_.push_back(std::move(phase)); }
  /// Adds the work of a phase to the row's figure.
  void add_cost(const Cost& cost, uint64_t operations);

  [[nodiscard]] uint64_t operations() const { return operations_; }
  [[nodiscard]] const Cost& cost() const { return cost_; }
  [[nodiscard]] const std::vector<Phase>& phases() const { return phases_; }

 private:
  double seconds_;
  uint64_t operations_ = 0;
  Cost cost_;
  std::vector<Phase> phases_;
};

struct Row {
  std::string name;
  std::string group;  ///< The geometric mean is over groups.
  std::string what;
  std::function<void(Run&)> body;
};

void add_single_rows(
    std::vector<Row>& rows);  // pair, batch, mixed, usable, calloc, aligned, realloc, first touch
void add_thread_rows(std::vector<Row>& rows);  // cross-thread, two threads, larson, thread start
void add_large_rows(std::vector<Row>& rows);   // 32 KiB to 4 MiB
void add_fragmentation_rows(std::vector<Row>& rows);

/// Resident bytes of this process by the kernel's own walk of the page tables; does not allocate.
uint64_t resident_bytes();

/// Uses `bytes` of memory once, in huge pages where there are any, and gives them back, so that the kernel has them at
/// hand. A virtual machine's host gives it memory at first touch, and may take back what was free for some seconds (a GiB
/// was seen to cost 0.4 s or 12): a row that uses new memory would measure the host.
void have_memory_at_hand(size_t bytes);

/// Keeps the compiler from knowing what becomes of a pointer or of memory.
inline void keep(const void* p) { asm volatile("" : : "r"(p) : "memory"); }

inline void* checked(void* block) {
  if (__builtin_expect(block == nullptr, 0)) fail("the allocator returned a null pointer");
  return block;
}
inline void* take(size_t size) { return checked(std::malloc(size)); }
inline void write_word(void* block, uint64_t word) {
  *static_cast<volatile uint64_t*>(block) = word;
}

/// xorshift64*: fast, and the same numbers in every process.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1Du;
  }
  /// A number in [0, bound).
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(((next() >> 32) * bound) >> 32); }
  /// A number in [low, high].
  uint32_t between(uint32_t low, uint32_t high) { return low + below(high - low + 1); }

 private:
  uint64_t state_;
};

/// An array straight from the kernel, resident from the start: neither its memory nor its page faults are the
/// measured allocator's.
template <class T>
class MappedArray {
 public:
  explicit MappedArray(size_t count) : count_(count) {
    void* memory = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) fail("no memory for the workload's own array");
    data_ = static_cast<T*>(memory);
  }
  MappedArray(const MappedArray&) = delete;
  MappedArray& operator=(const MappedArray&) = delete;
  ~MappedArray() { munmap(data_, count_ * sizeof(T)); }

  T& operator[](size_t i) { return data_[i]; }
  [[nodiscard]] size_t size() const { return count_; }
  T* begin() { return data_; }
  T* end() { return data_ + count_; }

 private:
  size_t count_;
  T* data_;
};

/// Fills `order` with a fixed permutation of 0..size-1.
inline void shuffle(MappedArray<uint32_t>& order, uint64_t seed) {
  Random random(seed);
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  for (auto i = static_cast<uint32_t>(order.size()); i > 1; --i)
    std::swap(order[i - 1], order[random.below(i)]);
}

}  // namespace numaheap::bench

// Fragmentation: how much memory stays resident for each live byte when a heap is thinned out at random and refilled
// with other sizes.

#include <cstring>

#include "purge.hpp"
#include "run.hpp"

namespace numaheap::bench {

namespace {

constexpr uint32_t kObjects = 1'000'000;

class Heap {
 public:
  explicit Heap(Run& run) : run_(run), blocks_(kObjects), sizes_(kObjects), order_(kObjects) {
    have_memory_at_hand(size_t{512} << 20);
    baseline_ = resident_bytes();
  }

  /// Allocates and writes objects of low to high bytes into empty slots until `live` bytes are live, or no slot is left.
  void fill(const char* phase, uint32_t low, uint32_t high, uint64_t live) {
    finish(phase, [&] {
      uint64_t objects = 0;
      for (uint32_t i = 0; i < kObjects && live_ < live; ++i) {
        if (blocks_[i] != nullptr) continue;
        const uint32_t size = random_.between(low, high);
        std::memset(blocks_[i] = take(size), 1, size);
        keep(blocks_[i]);
        sizes_[i] = size;
        live_ += size;
        ++objects;
      }
      return objects;
    });
  }
  /// Frees a random `percent` of the live objects, in random order.
  void thin_out(const char* phase, uint32_t percent) {
    shuffle(order_, ++seed_);
    const uint64_t doomed = count() * percent / 100;
    finish(phase, [&] {
      uint64_t objects = 0;
      for (auto i = order_.begin(); objects < doomed; ++i) {
        if (blocks_[*i] == nullptr) continue;
        std::free(blocks_[*i]);
        blocks_[*i] = nullptr;
        live_ -= sizes_[*i];
        ++objects;
      }
      return objects;
    });
  }
  void purge(const char* phase) {
    give_back_unused_memory();
    record(phase, 0);
  }
  [[nodiscard]] uint64_t live() const { return live_; }

 private:
  template <class Body>
  void finish(const char* phase, Body body) {
    const uint64_t before = run_.operations();
    const Cost cost = run_.measure_once(body);
    record(phase, cost.cpu_ns() / static_cast<double>(run_.operations() - before));
  }
  void record(const char* phase, double cpu_ns) {
    const uint64_t resident = resident_bytes();
    run_.add_phase({phase, resident > baseline_ ? resident - baseline_ : 0, live_, cpu_ns});
  }
  uint64_t count() {
    uint64_t objects = 0;
    for (void* block : blocks_) objects += block != nullptr;
    return objects;
  }

  Run& run_;
  MappedArray<void*> blocks_;
  MappedArray<uint32_t> sizes_;
  MappedArray<uint32_t> order_;
  Random random_{12};
  uint64_t seed_ = 13;
  uint64_t live_ = 0;
  uint64_t baseline_ = 0;
};

void fragmentation(Run& run) {
  Heap heap(run);
  heap.fill("fill", 40, 400, UINT64_MAX);
  const uint64_t full = heap.live();
  heap.thin_out("delete", 75);
  heap.purge("delete_purge");
  heap.fill("refill", 100, 800, full);
  heap.thin_out("delete_again", 75);
  heap.purge("delete_again_purge");
  heap.thin_out("free_all", 100);
  heap.purge("end_purge");
}

}  // namespace

void add_fragmentation_rows(std::vector<Row>& rows) {
  rows.push_back({"frag", "fragmentation",
                  "1 000 000 objects of 40 to 400 bytes, 75 % freed at random, refilled with 100 "
                  "to 800 bytes: memory",
                  fragmentation});
}

}  // namespace numaheap::bench

// The standard allocator and the memory resource: containers that lie where their placement says.

#include "numaheap/allocator.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <string>
#include <unordered_map>
#include <vector>

#include "numaheap/memory_resource.hpp"
#include "numaheap/statistics.hpp"

namespace numaheap {
namespace {

/// The node where the calling thread is at home, and stays so, whatever CPU it is moved to.
NodeId settle() {
  const NodeId here = thread_node();
  EXPECT_TRUE(set_thread_home(Placement::node(here)).has_value());
  return here;
}

/// What home_node() says of interleaved memory: where there is one node only, it is that one.
NodeId interleaved_home() {
  Statistics statistics;
  read_statistics(statistics);
  for (unsigned i = 0; i < statistics.placements; ++i) {
    if (statistics.placement[i].placing == numa::Placing::kInterleaved) return kNoNode;
  }
  return thread_node();
}

template <class T>
using Vector = std::vector<T, Allocator<T>>;

TEST(Allocator, PutsAContainerWhereItsPlacementSays) {
  const NodeId here = settle();
  Vector<int> local(1000, 1);
  EXPECT_EQ(home_node(local.data()), here);
  Vector<int> placed(1000, 1, Placement::node(here));
  EXPECT_EQ(home_node(placed.data()), here);
  Vector<int> interleaved(1000, 1, Placement::interleaved());
  EXPECT_TRUE(owns(interleaved.data()));
  EXPECT_EQ(home_node(interleaved.data()), interleaved_home());
}

TEST(Allocator, ServesEveryKindOfContainer) {
  std::map<int, int, std::less<>, Allocator<std::pair<const int, int>>> map(
      Placement::interleaved());
  std::unordered_map<int, int, std::hash<int>, std::equal_to<>,
                     Allocator<std::pair<const int, int>>>
      hash_map;
  std::list<int, Allocator<int>> list;
  std::basic_string<char, std::char_traits<char>, Allocator<char>> text;
  for (int i = 0; i < 1000; ++i) {
    map[i] = i;
    hash_map[i] = i;
    list.push_back(i);
    text.push_back('x');
  }
  EXPECT_EQ(home_node(&*map.begin()), interleaved_home());
  EXPECT_TRUE(owns(&*map.begin()));
  EXPECT_TRUE(owns(&*hash_map.begin()));
  EXPECT_TRUE(owns(&list.front()));
  EXPECT_TRUE(owns(text.data()));
  const auto shared = std::allocate_shared<int>(Allocator<int>(), 7);
  EXPECT_TRUE(owns(shared.get()));
}

template <size_t N>
struct alignas(N) Aligned {
  char bytes[N];
};

template <size_t N>
void expect_aligned() {
  for (Placement placement : {Placement::local(), Placement::interleaved()}) {
    Vector<Aligned<N>> vector(placement);
    for (int i = 0; i < 100; ++i) {
      vector.emplace_back();
      EXPECT_EQ(reinterpret_cast<uintptr_t>(vector.data()) % N, 0u);
    }
  }
}

TEST(Allocator, AlignsForTheElement) {
  expect_aligned<1>();
  expect_aligned<8>();
  expect_aligned<16>();
  expect_aligned<32>();
  expect_aligned<64>();
  expect_aligned<4096>();
  expect_aligned<8192>();
}

TEST(Allocator, ThrowsInTheCallersCodeWhenThereIsNoMemory) {
  EXPECT_THROW((void)Allocator<int>().allocate(std::numeric_limits<size_t>::max() / 2),
               std::bad_array_new_length);
  EXPECT_THROW((void)Allocator<int>().allocate(std::numeric_limits<size_t>::max() / 16),
               std::bad_alloc);
  EXPECT_THROW((void)Allocator<int>(Placement::node(NodeId{1000000})).allocate(1), std::bad_alloc);
}

TEST(Allocator, MovesAContainerWithItsMemoryAndItsPlacement) {
  Vector<int> source(1000, 1, Placement::interleaved());
  const int* data = source.data();
  Vector<int> target;
  target = std::move(source);
  EXPECT_EQ(target.data(), data);
  EXPECT_EQ(target.get_allocator().placement(), Placement::interleaved());
  Vector<int> other;
  other.swap(target);
  EXPECT_EQ(other.data(), data);
  EXPECT_EQ(other.get_allocator().placement(), Placement::interleaved());
  EXPECT_EQ(target.get_allocator().placement(), Placement::local());
}

TEST(Allocator, CopiesIntoThePlacementOfTheCopy) {
  const NodeId here = settle();
  const Vector<int> source(1000, 1, Placement::interleaved());
  const Vector<int> copy(source);
  EXPECT_EQ(home_node(copy.data()), interleaved_home());
  Vector<int> assigned;
  assigned = source;
  EXPECT_EQ(assigned.get_allocator().placement(), Placement::local());
  EXPECT_EQ(home_node(assigned.data()), here);
}

TEST(Allocator, KeepsThePlacementWhenItIsRebound) {
  const Allocator<int> ints(Placement::interleaved());
  const Allocator<double> doubles(ints);
  EXPECT_EQ(doubles.placement(), Placement::interleaved());
  EXPECT_TRUE(ints == doubles);
}

TEST(MemoryResource, PutsAPolymorphicContainerWhereItsPlacementSays) {
  const NodeId at_home = settle();
  MemoryResource local;
  MemoryResource interleaved(Placement::interleaved());
  std::pmr::vector<std::pmr::string> here(&local);
  std::pmr::vector<std::pmr::string> spread(&interleaved);
  for (int i = 0; i < 1000; ++i) {
    here.emplace_back(100, 'x');
    spread.emplace_back(100, 'x');
  }
  EXPECT_EQ(home_node(here.data()), at_home);
  EXPECT_EQ(home_node(here.back().data()), at_home);
  EXPECT_EQ(home_node(spread.data()), interleaved_home());
  EXPECT_EQ(home_node(spread.back().data()), interleaved_home());
}

TEST(MemoryResource, ServesEverySizeAndAlignmentAndTakesItBack) {
  for (Placement placement : {Placement::local(), Placement::interleaved()}) {
    MemoryResource resource(placement);
    for (size_t alignment = 1; alignment <= 16384; alignment *= 2) {
      for (size_t bytes : {0u, 1u, 8u, 9u, 24u, 100u, 3000u, 70000u}) {
        void* block = resource.allocate(bytes, alignment);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % alignment, 0u);
        EXPECT_GE(usable_size(block), bytes);
        resource.deallocate(block, bytes, alignment);
      }
    }
  }
}

TEST(MemoryResource, IsEqualToOneThatPlacesAlike) {
  const MemoryResource local;
  const MemoryResource also_local;
  const MemoryResource interleaved(Placement::interleaved());
  EXPECT_EQ(local, also_local);
  EXPECT_NE(local, interleaved);
  EXPECT_NE(static_cast<const std::pmr::memory_resource&>(local), *std::pmr::new_delete_resource());
}

TEST(MemoryResource, ThrowsInTheCallersCodeWhenThereIsNoMemory) {
  MemoryResource resource;
  EXPECT_THROW((void)resource.allocate(std::numeric_limits<size_t>::max() / 4), std::bad_alloc);
}

}  // namespace
}  // namespace numaheap

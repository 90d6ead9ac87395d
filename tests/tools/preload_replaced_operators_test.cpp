/// \file
/// A program that replaces operator new(size_t) and operator delete(void*) alone, with blocks that are not malloc's:
/// all other forms must reach them, under the preload object as without it. Runs with LD_PRELOAD set.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

// Each block has a header, so that a form which goes elsewhere frees what was never allocated there.
constexpr size_t kHeader = 32;
constexpr uint64_t kMark = 0x6d61726b6d61726b;
int g_live;

}  // namespace

void* operator new(size_t size) {
  auto* base = static_cast<char*>(size < SIZE_MAX / 2 ? malloc(size + kHeader) : nullptr);
  if (base == nullptr) throw std::bad_alloc();
  *reinterpret_cast<uint64_t*>(base) = kMark;
  ++g_live;
  return base + kHeader;
}

void operator delete(void* block) noexcept {
  if (block == nullptr) return;
  char* base = static_cast<char*>(block) - kHeader;
  if (*reinterpret_cast<uint64_t*>(base) != kMark) abort();
  --g_live;
  free(base);
}

namespace {

template <class Allocate, class Deallocate>
void expect_own(Allocate allocate, Deallocate deallocate) {
  const int before = g_live;
  void* block = allocate();
  EXPECT_EQ(g_live, before + 1);
  deallocate(block);
  EXPECT_EQ(g_live, before);
}

size_t hide(size_t value) {
  __asm__ volatile("" : "+r"(value));
  return value;
}

TEST(PreloadReplacedOperators, AreReachedByAllForms) {
  expect_own([] { return ::operator new(100); },
             [](void* p) { ::operator delete (p, size_t{100}); });
  expect_own([] { return ::operator new[](100); }, [](void* p) { ::operator delete[](p); });
  expect_own([] { return ::operator new[](100); },
             [](void* p) { ::operator delete[](p, size_t{100}); });
  expect_own([] { return ::operator new(100, std::nothrow); },
             [](void* p) { ::operator delete(p, std::nothrow); });
  expect_own([] { return ::operator new[](100, std::nothrow); },
             [](void* p) { ::operator delete[](p, std::nothrow); });
}

TEST(PreloadReplacedOperators, NothrowFormsCatchWhatTheyThrow) {
  EXPECT_EQ(::operator new(hide(SIZE_MAX), std::nothrow), nullptr);
  EXPECT_EQ(::operator new[](hide(SIZE_MAX), std::nothrow), nullptr);
}

}  // namespace

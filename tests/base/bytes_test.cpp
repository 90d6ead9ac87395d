#include "numaheap/base/bytes.hpp"

#include <gtest/gtest.h>

namespace numaheap {
namespace {

TEST(Bytes, UnitsArePowersOf1024) {
  EXPECT_EQ(KiB(1), Bytes{1024});
  EXPECT_EQ(MiB(1), KiB(1024));
  EXPECT_EQ(GiB(1), MiB(1024));
  EXPECT_EQ(TiB(1), GiB(1024));
  EXPECT_EQ(TiB(1).value, size_t{1} << 40);
}

TEST(Bytes, AddsSubtractsAndScales) {
  Bytes b = KiB(3);
  b += Bytes{1};
  EXPECT_EQ(b.value, 3073u);
  b -= KiB(1);
  EXPECT_EQ(b, KiB(2) + Bytes{1});
  EXPECT_EQ(KiB(2) - Bytes{1}, Bytes{2047});
  EXPECT_EQ(Bytes{4096} * 3, KiB(12));
}

TEST(Bytes, OrdersByAmount) {
  EXPECT_LT(Bytes{1023}, KiB(1));
  EXPECT_GE(MiB(1), KiB(1024));
  EXPECT_EQ(Bytes{}, Bytes{0});
}

}  // namespace
}  // namespace numaheap

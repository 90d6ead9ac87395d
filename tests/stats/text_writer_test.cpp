#include "stats/text_writer.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>

namespace numaheap::stats {
namespace {

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

template <class Write>
std::string written(Write write) {
  char buffer[128];
  TextWriter out(buffer, sizeof buffer);
  write(out);
  EXPECT_EQ(out.length(), std::strlen(buffer));
  return buffer;
}
std::string human(int64_t bytes) {
  return written([&](TextWriter& out) { out.human(bytes); });
}
std::string quotient(int64_t a, int64_t b) {
  return written([&](TextWriter& out) { out.quotient(a, b); });
}

TEST(TextWriter, PrintsBytesAsRedisDoes) {
  EXPECT_EQ(human(0), "0B");
  EXPECT_EQ(human(1023), "1023B");
  EXPECT_EQ(human(1024), "1.00K");
  EXPECT_EQ(human(1289748), "1.23M");
  EXPECT_EQ(human((int64_t{1} << 30) - 1), "1024.00M");
  EXPECT_EQ(human(int64_t{1} << 30), "1.00G");
  EXPECT_EQ(human(int64_t{5} << 40), "5.00T");
  EXPECT_EQ(human(int64_t{3} << 50), "3.00P");
  EXPECT_EQ(human(kMost), "8192.00P");
}

TEST(TextWriter, RoundsQuotientsToTwoDecimals) {
  EXPECT_EQ(quotient(1, 1), "1.00");
  EXPECT_EQ(quotient(105, 100), "1.05");
  EXPECT_EQ(quotient(2, 3), "0.67");
  EXPECT_EQ(quotient(999, 1000), "1.00");
  EXPECT_EQ(quotient(-1, 4), "-0.25");
  EXPECT_EQ(quotient(-1, 1000), "0.00");
  EXPECT_EQ(quotient(kMost, kMost), "1.00");
  EXPECT_EQ(quotient(kMost, 1), "9223372036854775807.00");
}

TEST(TextWriter, RoundsQuotientsToAsManyDecimalsAsAreAskedFor) {
  const auto six = [](int64_t a, int64_t b) {
    return written([&](TextWriter& out) { out.quotient(a, b, 6); });
  };
  EXPECT_EQ(six(2, 3), "0.666667");
  EXPECT_EQ(six(1, 1000000), "0.000001");
  EXPECT_EQ(six(1, 1), "1.000000");
  EXPECT_EQ(six(-1, 8), "-0.125000");
  EXPECT_EQ(written([&](TextWriter& out) { out.quotient(19, 10, 1); }), "1.9");
}

TEST(TextWriter, PrintsDecimalsExactly) {
  const auto decimal = [](int64_t value, int64_t scale) {
    return written([&](TextWriter& out) { out.decimal(value, scale); });
  };
  EXPECT_EQ(decimal(1'500'000'000, 1'000'000'000), "1.5");
  EXPECT_EQ(decimal(3'000'000'000, 1'000'000'000), "3");
  EXPECT_EQ(decimal(1, 1'000'000'000), "0.000000001");
  EXPECT_EQ(decimal(-1, 1'000'000), "-0.000001");
  EXPECT_EQ(decimal(-2'000'001, 1'000'000), "-2.000001");
  EXPECT_EQ(decimal(7, 1), "7");
  EXPECT_EQ(decimal(kMost, 1'000'000'000), "9223372036.854775807");
  EXPECT_EQ(decimal(kLeast, 1'000'000'000), "-9223372036.854775808");
}

TEST(TextWriter, RepeatsACharacter) {
  EXPECT_EQ(written([](TextWriter& out) { out.text("a").repeat('-', 3).repeat('x', 0); }), "a---");
}

TEST(TextWriter, AgreesWithPrintfWherePrintfIsExact) {
  for (int64_t quarters = -4000; quarters < 4000; ++quarters) {
    char expected[32];
    snprintf(expected, sizeof expected, "%.2f", static_cast<double>(quarters) / 4);
    ASSERT_EQ(quotient(quarters, 4), expected);
  }
}

TEST(TextWriter, PrintsTheLargestAndTheSmallestNumber) {
  EXPECT_EQ(written([](TextWriter& out) { out.number(kMost); }), std::to_string(kMost));
  EXPECT_EQ(written([](TextWriter& out) { out.number(kLeast); }), std::to_string(kLeast));
}

TEST(TextWriter, CutsAtTheEndAndCountsOn) {
  for (size_t size = 0; size <= 12; ++size) {
    char buffer[16];
    std::memset(buffer, '#', sizeof buffer);
    TextWriter out(buffer, size);
    out.text("abc").number(1234).text("xyz");
    EXPECT_EQ(out.length(), 10u);
    const std::string whole = "abc1234xyz";
    if (size > 0) {
      EXPECT_EQ(std::string(buffer), whole.substr(0, size - 1));
    }
    for (size_t i = size; i < sizeof buffer; ++i)
      ASSERT_EQ(buffer[i], '#') << "written beyond " << size;
  }
}

TEST(TextWriter, TakesNoBufferAtAll) {
  TextWriter out(nullptr, 0);
  out.text("abc").number(-5);
  EXPECT_EQ(out.length(), 5u);
}

}  // namespace
}  // namespace numaheap::stats

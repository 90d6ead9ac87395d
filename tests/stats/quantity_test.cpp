#include "stats/quantity.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace numaheap::stats {
namespace {

using namespace std::chrono_literals;
using Kind = Quantity::Kind;

template <class Write>
std::string written(Write write) {
  char text[100];
  TextWriter out(text, sizeof text);
  write(out);
  return text;
}

TEST(Quantity, IsReadWithItsUnit) {
  const auto is = [](const char* text, double value, Kind kind) {
    const std::optional<Quantity> quantity = parse_quantity(text);
    ASSERT_TRUE(quantity) << text;
    EXPECT_DOUBLE_EQ(quantity->value, value) << text;
    EXPECT_EQ(quantity->kind, kind) << text;
  };
  is("0", 0, Kind::kPlain);
  is("1.5", 1.5, Kind::kPlain);
  is("5%", 0.05, Kind::kShare);
  is("64MiB", 64 << 20, Kind::kBytes);
  is("64 M", 64 << 20, Kind::kBytes);
  is("1.5K", 1536, Kind::kBytes);
  is("7B", 7, Kind::kBytes);
  is("10ms", 0.01, Kind::kSeconds);
  is("5m", 300, Kind::kSeconds);
  is("2 h", 7200, Kind::kSeconds);
}

TEST(Quantity, IsNothingElse) {
  for (const char* text : {"", " 1", "1 ", "-1", "+1", ".5", "nan", "inf", "1e3", "0x1", "1.5.2",
                           "1kB", "1 MB", "5 % ", "five", "1  s"}) {
    EXPECT_FALSE(parse_quantity(text)) << text;
  }
}

TEST(Quantity, IsNoNumberThatIsTooLarge) {
  EXPECT_TRUE(parse_quantity(std::string(300, '9')));
  EXPECT_FALSE(parse_quantity(std::string(308, '9') + "TiB"));
  EXPECT_FALSE(parse_quantity(std::string(400, '9')));
}

TEST(Quantity, OfOneKindDoesNotFitAnother) {
  EXPECT_TRUE(fits(Kind::kBytes, Unit::kBytes));
  EXPECT_TRUE(fits(Kind::kPlain, Unit::kBytes));
  EXPECT_FALSE(fits(Kind::kShare, Unit::kBytes));
  EXPECT_FALSE(fits(Kind::kBytes, Unit::kMillionths));
  EXPECT_TRUE(fits(Kind::kSeconds, Unit::kNanoseconds));
  EXPECT_FALSE(fits(Kind::kSeconds, Unit::kCount));
}

TEST(Quantity, IsWrittenForPeopleWithFourDigits) {
  const auto text = [](double value, Unit unit) {
    return written([&](TextWriter& out) { write_quantity(out, value, unit); });
  };
  EXPECT_EQ(text(0, Unit::kBytes), "0 B");
  EXPECT_EQ(text(1023, Unit::kBytes), "1023 B");
  EXPECT_EQ(text(1536, Unit::kBytes), "1.5 KiB");
  EXPECT_EQ(text(123456789, Unit::kBytes), "117.7 MiB");
  EXPECT_EQ(text(3.0 * (1 << 30), Unit::kBytesPerSecond), "3 GiB/s");
  EXPECT_EQ(text(5e18, Unit::kBytes), "4547474 TiB");
  EXPECT_EQ(text(-1536, Unit::kBytes), "-1.5 KiB");
  EXPECT_EQ(text(1.0 / 3, Unit::kMillionths), "0.3333");
  EXPECT_EQ(text(123456, Unit::kCount), "123456");
  EXPECT_EQ(text(0.0000015, Unit::kNanoseconds), "1.5 us");
  EXPECT_EQ(text(90, Unit::kNanoseconds), "90 s");
}

TEST(Quantity, IsWrittenForProgramsWhole) {
  const auto text = [](double value) {
    return written([&](TextWriter& out) { write_number(out, value); });
  };
  EXPECT_EQ(text(0.1), "0.1");
  EXPECT_EQ(text(1073741824), "1073741824");
  EXPECT_EQ(std::stod(text(1.0 / 3)), 1.0 / 3);
  EXPECT_EQ(text(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(text(std::nan("")), "null");
}

TEST(Quantity, SaysADurationInItsTwoLargestSteps) {
  const auto text = [](std::chrono::nanoseconds duration) {
    return written([&](TextWriter& out) { write_duration(out, duration); });
  };
  EXPECT_EQ(text(0s), "0 s");
  EXPECT_EQ(text(999ms), "0 s");
  EXPECT_EQ(text(59s), "59 s");
  EXPECT_EQ(text(60s), "1 min");
  EXPECT_EQ(text(200s), "3 min 20 s");
  EXPECT_EQ(text(2h + 5min + 3s), "2 h 5 min");
  EXPECT_EQ(text(97h), "4 d 1 h");
}

}  // namespace
}  // namespace numaheap::stats

#include "numaheap/stats/table.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <sstream>

#include "snapshot_by_hand.hpp"

namespace numaheap::stats {
namespace {

using std::chrono::nanoseconds;
using tests::SnapshotByHand;

const Metric kLive{.name = "numaheap_live_bytes",
                   .help = "In use.",
                   .unit = Unit::kBytes,
                   .label_keys = {"node", "tier"}};
const Metric kLimit{.name = "numaheap_hard_limit_bytes", .help = "Limit.", .unit = Unit::kBytes};

/// What the table shows as the value of a sample.
std::string shown(Unit unit, int64_t value) {
  const Metric metric{.name = "x", .help = "", .unit = unit};
  SnapshotByHand books;
  books.add(metric, value);
  std::istringstream text(books.rendered(render_table));
  std::string line;
  std::getline(text, line);
  std::getline(text, line);
  const size_t end = line.find("  own books");
  EXPECT_NE(end, std::string::npos) << line;
  const size_t start = line.find_first_not_of(' ', 1);
  return line.substr(start, line.find_last_not_of(' ', end) + 1 - start);
}

std::string shown_age(nanoseconds age) {
  SnapshotByHand books;
  books.add(kLimit, 1, {}, age);
  const std::string text = books.rendered(render_table);
  const size_t start = text.find("own books  ") + 11;
  return text.substr(start, text.find('\n', start) - start);
}

TEST(Table, LinesUpFiguresWithUnitSourceAndAge) {
  SnapshotByHand books;
  books.add(kLive, 1536, {NodeId{0}, "thread"});
  books.add(kLive, int64_t{3} << 30, {NodeId{12}, "node"}, std::chrono::milliseconds(85));
  EXPECT_EQ(books.rendered(render_table),
            "figure  of                   value     source     age\n"
            "live    node 0, tier thread  1.50 KiB  own books  now\n"
            "live    node 12, tier node   3.00 GiB  own books  85 ms\n"
            "\n2 figures, read in 42.00 us\n");
}

TEST(Table, SaysWhyAFigureIsNotAvailable) {
  SnapshotByHand books;
  books.add_absent(kLimit, "no limit is set");
  books.add_absent(kLive, "nothing runs");
  EXPECT_EQ(books.rendered(render_table),
            "figure  of  value  source  age\n"
            "\n"
            "not available  why\n"
            "hard_limit     no limit is set\n"
            "live           nothing runs\n"
            "\n0 figures, read in 42.00 us\n");
}

TEST(Table, ShowsEachUnitReadably) {
  EXPECT_EQ(shown(Unit::kCount, 1234567), "1234567");
  EXPECT_EQ(shown(Unit::kBytes, 0), "0 B");
  EXPECT_EQ(shown(Unit::kBytes, 1023), "1023 B");
  EXPECT_EQ(shown(Unit::kBytes, 1024), "1.00 KiB");
  EXPECT_EQ(shown(Unit::kBytes, -(int64_t{5} << 20)), "-5.00 MiB");
  EXPECT_EQ(shown(Unit::kBytes, int64_t{2} << 40), "2.00 TiB");
  EXPECT_EQ(shown(Unit::kBytesPerSecond, int64_t{3} << 29), "1.50 GiB/s");
  EXPECT_EQ(shown(Unit::kNanoseconds, 999), "999 ns");
  EXPECT_EQ(shown(Unit::kNanoseconds, 1500), "1.50 us");
  EXPECT_EQ(shown(Unit::kNanoseconds, 90'000'000'000), "1.50 min");
  EXPECT_EQ(shown(Unit::kMillionths, 987'000), "0.99");
  EXPECT_EQ(shown(Unit::kUnixSeconds, 0), "1970-01-01 00:00:00 UTC");
  EXPECT_EQ(shown(Unit::kUnixSeconds, 1709210096), "2024-02-29 12:34:56 UTC");
}

TEST(Table, ShowsValuesBeyondReasonAsNumbers) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(shown(Unit::kUnixSeconds, kMost), "9223372036854775807 s");
  EXPECT_EQ(shown(Unit::kUnixSeconds, -1), "-1 s");
  EXPECT_EQ(shown(Unit::kBytes, kLeast), "-8388608.00 TiB");
  EXPECT_EQ(shown(Unit::kNanoseconds, kMost), "153722867.28 min");
}

TEST(Table, ShowsHowOldAFigureIs) {
  EXPECT_EQ(shown_age(nanoseconds(0)), "now");
  EXPECT_EQ(shown_age(std::chrono::microseconds(999)), "now");
  EXPECT_EQ(shown_age(std::chrono::milliseconds(250)), "250 ms");
  EXPECT_EQ(shown_age(std::chrono::milliseconds(1250)), "1.25 s");
  EXPECT_EQ(shown_age(std::chrono::minutes(3)), "3.00 min");
}

TEST(Table, OneLineAFigureWhateverItsLabelsHold) {
  SnapshotByHand books;
  books.add(kLive, 1, {"a\nb", "caf\xC3\xA9"});
  books.add(kLive, 2, {"abc", "cafe"});
  const std::string long_name(500, 'x');
  books.add(kLive, 3, {long_name.c_str(), "t"});
  const std::string text = books.rendered(render_table);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 6);
  EXPECT_NE(text.find("node a?b, tier caf\xC3\xA9 "), std::string::npos) << text;
}

TEST(Table, SaysHowManyFiguresHadNoRoom) {
  SnapshotByHand books;
  books.left_out = 3;
  EXPECT_NE(books.rendered(render_table).find("3 more were left out"), std::string::npos);
}

}  // namespace
}  // namespace numaheap::stats

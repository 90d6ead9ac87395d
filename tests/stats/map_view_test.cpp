// MapPublisher and ProcessView::read_map(): a map as another process sees it, and maps that cannot be.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <vector>

#include "numaheap/stats/map_publisher.hpp"
#include "numaheap/stats/process_view.hpp"
#include "numaheap/stats/publisher.hpp"

namespace numaheap::stats {
namespace {

using std::chrono::seconds;

RangeMap some_map() {
  RangeMap map;
  std::strcpy(map.name, "node 3");
  map.start = 0x7f0000000000;
  map.cell_bytes = 8192;
  map.cells = 100;
  map.opened = 100 * 8192;
  map.grown = 50 * 8192;
  return map;
}

class MapView : public testing::Test {
 protected:
  MapView() {
    EXPECT_TRUE(publisher_.open());
    publisher_.publish(Detail::kSummary, Freshness::kAsKept);
  }
  ~MapView() override {
    maps_.close();
    publisher_.close();
  }
  /// What a viewer sees after this was published.
  Result<std::vector<ForeignMap>> seen(const RangeMap& map, const MapCell& cell) {
    EXPECT_TRUE(maps_.open(2));
    maps_.publish(1, map, std::vector<MapCell>(RangeMap::kMostCells, cell));
    Result<ProcessView> view = ProcessView::open(getpid());
    EXPECT_TRUE(view);
    return view->read_map();
  }

  Publisher publisher_;
  MapPublisher maps_;
};

TEST_F(MapView, ShowsWhatWasPublishedAndNothingOfRangesThatWereNot) {
  const MapCell cell{.used = 4000, .free_slots = 96, .dirty = 0, .clean = 4096, .block_bytes = 80};
  const auto maps = seen(some_map(), cell);
  ASSERT_TRUE(maps);
  ASSERT_EQ(maps->size(), 1u);
  const ForeignMap& range = maps->front();
  EXPECT_STREQ(range.map.name, "node 3");
  EXPECT_EQ(range.map.start, 0x7f0000000000u);
  ASSERT_EQ(range.cells.size(), 100u);
  EXPECT_EQ(range.cells[99].used, 4000u);
  EXPECT_EQ(range.cells[99].block_bytes, 80u);
  EXPECT_LT(range.age, seconds(60));
}

TEST_F(MapView, AskingTellsTheOtherThatAMapIsWantedForAWhile) {
  EXPECT_EQ(publisher_.map_wanted_until().count(), 0);
  Result<ProcessView> view = ProcessView::open(getpid());
  ASSERT_TRUE(view);
  const auto none = view->read_map();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  EXPECT_GT(publisher_.map_wanted_until(), now);
  EXPECT_LT(publisher_.map_wanted_until(), now + seconds(60));
}

TEST_F(MapView, LeavesOutMapsThatCannotBe) {
  RangeMap map = some_map();
  map.cell_bytes = 3000;
  EXPECT_FALSE(seen(map, {}));
  map = some_map();
  map.opened = 1000 * map.cell_bytes;
  EXPECT_FALSE(seen(map, {}));
  map = some_map();
  map.grown = map.opened + 1;
  EXPECT_FALSE(seen(map, {}));
  EXPECT_FALSE(seen(some_map(), {.used = 8000, .free_slots = 4000}));
  map = some_map();
  std::memset(map.name, 'x', sizeof map.name);
  const auto maps = seen(map, {});
  ASSERT_TRUE(maps);
  EXPECT_EQ(std::strlen(maps->front().map.name), sizeof map.name - 1);
}

}  // namespace
}  // namespace numaheap::stats

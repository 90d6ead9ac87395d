// ProcessView::read_map(): range maps of another process, asked for and copied out.
#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

#include "foreign_file.hpp"
#include "numaheap/stats/process_view.hpp"
#include "segment_layout.hpp"

namespace numaheap::stats {

namespace {

using std::chrono::nanoseconds;

constexpr unsigned kMostRanges = 1024;
constexpr nanoseconds kInterest = std::chrono::seconds(5);
constexpr char kNotYet[] =
    "no map has been drawn yet: a process draws one within seconds while it allocates, or at once "
    "with NUMAHEAP_BACKGROUND=on";

/// Whether what another process says can be; then the text ends.
bool is_sound(RangeMap& map) {
  map.name[sizeof map.name - 1] = 0;
  return map.cells <= RangeMap::kMostCells && map.cell_bytes >= 4096 &&
         map.cell_bytes <= uint64_t{1} << 31 && std::has_single_bit(map.cell_bytes) &&
         map.opened <= map.cells * map.cell_bytes && map.grown <= map.opened;
}

/// Copies one map. \returns false if it was never published, changes all the time, or cannot be.
bool copy_map(const ForeignFile& from, unsigned index, ForeignMap& to) {
  const uint64_t at = kMapsAt + index * sizeof(SegmentMap);
  const auto read_all = [&](size_t offset, void* into, size_t size) {
    return read_at(from, at + offset, into, size) == static_cast<long>(size);
  };
  for (int tries = 0; tries < 100; ++tries) {
    uint64_t before = 0;
    uint64_t after = 0;
    int64_t published = 0;
    if (!read_all(offsetof(SegmentMap, sequence), &before, sizeof before) || before == 0)
      return false;
    if (before % 2 == 0 &&
        read_all(offsetof(SegmentMap, published_ns), &published, sizeof published) &&
        read_all(offsetof(SegmentMap, map), &to.map, sizeof to.map) && is_sound(to.map)) {
      to.cells.resize(to.map.cells);
      if (read_all(offsetof(SegmentMap, cells), to.cells.data(),
                   to.cells.size() * sizeof(MapCell)) &&
          read_all(offsetof(SegmentMap, sequence), &after, sizeof after) && after == before) {
        to.age = std::max(nanoseconds(0), monotonic_now() - nanoseconds(published));
        return std::all_of(to.cells.begin(), to.cells.end(), [&](const MapCell& cell) {
          return uint64_t{cell.used} + cell.free_slots + cell.dirty + cell.clean <=
                 to.map.cell_bytes;
        });
      }
    }
    usleep(100);
  }
  return false;
}

}  // namespace

Result<std::vector<ForeignMap>> ProcessView::read_map() noexcept {
  if (has_ended()) return Error{ErrorCode::kNotFound, ESRCH, "the process has ended"};
  SegmentHeader header{};
  if (read_at(snapshots_, 0, &header, sizeof header) != static_cast<long>(sizeof header) ||
      header.magic != kSegmentMagic || header.layout != kSegmentLayout)
    return Error{ErrorCode::kInvalidArgument, 0,
                 "the process runs another version of numaheap: use the numaheap command of that "
                 "version"};
  const int64_t until = (monotonic_now() + kInterest).count();
  const uint64_t at = snapshots_.at + offsetof(SegmentHeader, map_wanted_until_ns);
  if (pwrite(snapshots_.file, &until, sizeof until, static_cast<off_t>(at)) != sizeof until)
    return Error{ErrorCode::kNotPermitted, errno, "the kernel does not let you ask for a map"};
  if (maps_.file < 0) {
    const Result<ForeignFile> file = open_published(pid_, kMapSegmentName);
    if (!file) {
      if (file.error().system_errno == 0) return Error{ErrorCode::kNotFound, 0, kNotYet};
      return file.error();
    }
    maps_ = *file;
  }
  MapSegmentHeader about{};
  if (read_at(maps_, 0, &about, sizeof about) != static_cast<long>(sizeof about) ||
      about.magic != kSegmentMagic || about.layout != kSegmentLayout || about.ranges > kMostRanges)
    return Error{ErrorCode::kInvalidArgument, 0, "this is no map of numaheap"};
  std::vector<ForeignMap> maps;
  for (unsigned i = 0; i < about.ranges; ++i) {
    ForeignMap map;
    if (copy_map(maps_, i, map)) maps.push_back(std::move(map));
  }
  if (maps.empty()) return Error{ErrorCode::kNotFound, 0, kNotYet};
  return maps;
}

}  // namespace numaheap::stats

#include "map_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

namespace numaheap::cli {

namespace {

using stats::ForeignMap;
using stats::MapCell;

void append_array(std::string& text, const ForeignMap& range, size_t cells, const char* name,
                  uint32_t MapCell::*part, uint64_t whole) {
  fmt::format_to(std::back_inserter(text), ",\"{}\":[", name);
  for (size_t i = 0; i < cells; ++i) {
    uint64_t value = range.cells[i].*part;
    if (whole != 0 && value != 0) value = std::max<uint64_t>(1, value * 255 / whole);
    fmt::format_to(std::back_inserter(text), "{}{}", i == 0 ? "" : ",", value);
  }
  text += ']';
}

}  // namespace

std::string render_maps(const std::vector<ForeignMap>& maps) {
  std::chrono::nanoseconds age{0};
  for (const ForeignMap& range : maps) age = std::max(age, range.age);
  std::string text = fmt::format("{{\"age_ms\":{},\"ranges\":[",
                                 duration_cast<std::chrono::milliseconds>(age).count());
  for (const ForeignMap& range : maps) {
    const auto& map = range.map;
    // The name is another process': anything may be in it.
    const std::string name =
        nlohmann::json(map.name).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    fmt::format_to(
        std::back_inserter(text),
        "{}{{\"name\":{},\"start\":\"{:#x}\",\"cell_bytes\":{},\"opened\":{},\"grown\":{}",
        &range == maps.data() ? "" : ",", name, map.start, map.cell_bytes, map.opened, map.grown);
    const size_t cells =
        std::min<size_t>(range.cells.size(), (map.grown + map.cell_bytes - 1) / map.cell_bytes);
    append_array(text, range, cells, "used", &MapCell::used, map.cell_bytes);
    append_array(text, range, cells, "free_slots", &MapCell::free_slots, map.cell_bytes);
    append_array(text, range, cells, "dirty", &MapCell::dirty, map.cell_bytes);
    append_array(text, range, cells, "clean", &MapCell::clean, map.cell_bytes);
    append_array(text, range, cells, "block_bytes", &MapCell::block_bytes, 0);
    text += '}';
  }
  text += "]}\n";
  return text;
}

}  // namespace numaheap::cli

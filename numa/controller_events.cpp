#include "controller_events.hpp"

#include <charconv>
#include <fstream>
#include <string_view>

namespace numaheap::numa {

namespace {

using stats::EventSource;
using stats::NamedEvent;

constexpr double kLine = 64;  // what one command or transfer moves on all of these CPUs

/// "PREFIX" or "PREFIX_N".
bool is_numbered(std::string_view unit, std::string_view prefix) {
  if (!unit.starts_with(prefix)) return false;
  unit.remove_prefix(prefix.size());
  return unit.empty() || (unit.size() > 1 && unit[0] == '_' &&
                          unit.find_first_not_of("0123456789", 1) == unit.npos);
}

struct ImcEvents {
  unsigned model;
  std::vector<const char*> terms;
};

// For kernels that show the unit without its events. Sources: Intel's uncore reference manuals of the generations.
const std::vector<ImcEvents>& imc_events() {
  static const std::vector<ImcEvents> table = {
      {0x55, {"event=0x04,umask=0x03", "event=0x04,umask=0x0c"}},  // Skylake, Cascade Lake
      {0x6a, {"event=0x04,umask=0x0f", "event=0x04,umask=0x30"}},  // Ice Lake
      {0x6c, {"event=0x04,umask=0x0f", "event=0x04,umask=0x30"}},
      {0x8f, {"event=0x05,umask=0xcf", "event=0x05,umask=0xf0"}},  // Sapphire Rapids
      {0xcf, {"event=0x05,umask=0xcf", "event=0x05,umask=0xf0"}},  // Emerald Rapids
      // Granite Rapids, Sierra Forest: two sub-channels
      {0xad,
       {"event=0x05,umask=0xcf", "event=0x05,umask=0xf0", "event=0x06,umask=0xcf",
        "event=0x06,umask=0xf0"}},
      {0xaf,
       {"event=0x05,umask=0xcf", "event=0x05,umask=0xf0", "event=0x06,umask=0xcf",
        "event=0x06,umask=0xf0"}},
  };
  return table;
}

/// The terms of AMD's data fabric: each coherent station of memory, reads and writes, asked for by this socket's cores
/// and by others. Which generation it is shows in the width of the umask.
std::vector<std::string> fabric_terms(const EventSource& unit) {
  std::vector<std::string> terms;
  const auto* umask = unit.field("umask");
  if (umask == nullptr) return terms;
  const bool is_zen4 = umask->width() > 8;
  const unsigned stations = is_zen4 ? 12 : 8;
  const unsigned first = is_zen4 ? 0x1f : 0x07;
  for (unsigned station = 0; station < stations; ++station) {
    const std::string event = "event=" + std::to_string(first + 0x40 * station) + ",umask=";
    if (!is_zen4) {
      terms.push_back(event + "0x38");
      continue;
    }
    for (const char* mask : {"0x7fe", "0x7ff", "0xbfe", "0xbff"}) terms.push_back(event + mask);
  }
  return terms;
}

/// The events that the kernel names itself, with its factors; a channel of two halves has two pairs.
std::vector<const NamedEvent*> named_events(BandwidthSource source, const EventSource& unit) {
  std::vector<const NamedEvent*> found;
  for (const NamedEvent& event : unit.events()) {
    const std::string_view name = event.name;
    const bool is_it =
        source == BandwidthSource::kImc
            ? name.starts_with("cas_count_read") || name.starts_with("cas_count_write")
            : name == "read" || name == "write" ||                // servers
                  name == "data_read" || name == "data_write" ||  // clients
                  name == "data_reads" || name == "data_writes";
    if (is_it) found.push_back(&event);
  }
  return found;
}

std::vector<std::string> known_terms(BandwidthSource source, const EventSource& unit,
                                     unsigned cpu_model) {
  if (source == BandwidthSource::kUmc) return {"event=0x0a,rdwrmask=1", "event=0x0a,rdwrmask=2"};
  if (source == BandwidthSource::kDataFabric) return fabric_terms(unit);
  if (source == BandwidthSource::kImc) {
    for (const ImcEvents& known : imc_events()) {
      if (known.model == cpu_model) return {known.terms.begin(), known.terms.end()};
    }
  }
  return {};
}

}  // namespace

bool is_unit_of(BandwidthSource source, const std::string& unit) noexcept {
  switch (source) {
    case BandwidthSource::kImc:
      return is_numbered(unit, "uncore_imc");
    case BandwidthSource::kImcFreeRunning:
      // Client CPUs have no channels, but one unit whose counters always run.
      return is_numbered(unit, "uncore_imc_free_running") || unit == "uncore_imc";
    case BandwidthSource::kUmc:
      return is_numbered(unit, "amd_umc");
    case BandwidthSource::kDataFabric:
      return unit == "amd_df";
    case BandwidthSource::kResctrl:
    case BandwidthSource::kOwnBooks:
      break;
  }
  return false;
}

std::vector<TrafficEvent> traffic_events(BandwidthSource source, const EventSource& unit,
                                         unsigned cpu_model, std::string& problem) noexcept {
  std::vector<TrafficEvent> events;
  const auto add = [&](std::string_view terms, double bytes) {
    auto event = unit.encode(terms, problem);
    if (!event) return false;
    events.push_back({*std::move(event), bytes});
    return true;
  };
  const bool is_intel =
      source == BandwidthSource::kImc || source == BandwidthSource::kImcFreeRunning;
  const auto named = is_intel ? named_events(source, unit) : std::vector<const NamedEvent*>();
  for (const NamedEvent* event : named) {
    if (!event->unit.empty() && !event->bytes_per_count()) {
      problem =
          unit.name() + '/' + event->name + "/: its unit \"" + event->unit + "\" is none of bytes";
      return {};
    }
    if (!add(event->name, event->bytes_per_count().value_or(kLine))) return {};
  }
  if (named.empty()) {
    for (const std::string& terms : known_terms(source, unit, cpu_model)) {
      if (!add(terms, kLine)) return {};
    }
  }
  if (events.empty())
    problem = unit.name() +
              ": the kernel names no events of it that count reads and writes, and this CPU's are "
              "not known";
  return events;
}

unsigned intel_model(const std::string& root) noexcept {
  std::ifstream file(root + "/proc/cpuinfo");
  bool is_intel = false;
  unsigned family = 0;
  unsigned model = 0;
  for (std::string line; std::getline(file, line) && !line.empty();) {  // the first CPU
    const size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    const std::string value = line.substr(colon + 2);
    const auto number = [&] {
      unsigned read = 0;
      std::from_chars(value.data(), value.data() + value.size(), read);
      return read;
    };
    if (line.starts_with("vendor_id")) is_intel = value == "GenuineIntel";
    if (line.starts_with("cpu family")) family = number();
    if (line.starts_with("model\t")) model = number();
  }
  return is_intel && family == 6 ? model : 0;
}

}  // namespace numaheap::numa

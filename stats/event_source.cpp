#include "numaheap/stats/event_source.hpp"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>

namespace numaheap::stats {

namespace {

constexpr const char* kDirectory = "/sys/bus/event_source/devices";
constexpr unsigned kMaxId = 65536;  // of CPUs; what is larger is no CPU

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n";
  const size_t start = text.find_first_not_of(kBlanks);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(kBlanks) - start + 1);
}

/// The first line, without blanks around it; nothing if it cannot be read.
std::optional<std::string> line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line)) return std::nullopt;
  return std::string(trimmed(line));
}

/// A whole number and nothing else; hexadecimal after 0x.
template <class Number>
std::optional<Number> number_of(std::string_view text) {
  const bool is_hex = text.starts_with("0x") || text.starts_with("0X");
  if (is_hex) text.remove_prefix(2);
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, is_hex ? 16 : 10);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

/// Feeds the pieces between separators to take(piece) until it says false. \returns whether it never did.
template <class Take>
bool each_piece(std::string_view text, char separator, Take take) {
  for (;;) {
    const size_t end = text.find(separator);
    if (!take(trimmed(text.substr(0, end)))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

/// The files of a folder by name; nothing if the folder is not there.
std::optional<std::vector<std::string>> files_of(const std::string& path) {
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return std::nullopt;
  std::vector<std::string> names;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

/// "N" or "N-M".
std::optional<EventField::Bits> parse_range(std::string_view text) {
  const size_t dash = text.find('-');
  const auto first = number_of<unsigned>(text.substr(0, dash));
  const auto last =
      dash == std::string_view::npos ? first : number_of<unsigned>(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return EventField::Bits{*first, *last};
}

/// "config1:0-7,32". \returns false if it is not that.
bool parse_field(std::string_view text, EventField& field) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view word = text.substr(0, colon);
  constexpr std::string_view kWords[] = {"config", "config1", "config2", "config3"};
  const auto* const found = std::find(std::begin(kWords), std::end(kWords), word);
  if (found == std::end(kWords)) return false;
  field.word = static_cast<unsigned>(found - kWords);
  return each_piece(text.substr(colon + 1), ',', [&](std::string_view piece) {
    const auto bits = parse_range(piece);
    if (!bits || bits->last > 63) return false;
    field.bits.push_back(*bits);
    return field.width() <= 64;
  });
}

/// Spreads `value` over the field's bits, lowest first.
uint64_t spread(const EventField& field, uint64_t value) {
  uint64_t word = 0;
  for (const EventField::Bits& bits : field.bits) {
    const unsigned width = bits.last - bits.first + 1;
    const uint64_t mask = width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
    word |= (value & mask) << bits.first;
    value = width == 64 ? 0 : value >> width;
  }
  return word;
}

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

std::string refused(const std::string& path, std::string_view text, const char* accepted) {
  return path + " = " + quoted(text) + ": accepted is " + accepted;
}

}  // namespace

unsigned EventField::width() const noexcept {
  unsigned width = 0;
  for (const Bits& range : bits) width += range.last - range.first + 1;
  return width;
}

std::optional<double> NamedEvent::bytes_per_count() const noexcept {
  struct UnitOf {
    std::string_view name;
    double bytes;
  };
  constexpr UnitOf kUnits[] = {{"bytes", 1},
                               {"Bytes", 1},
                               {"B", 1},
                               {"KiB", 1024.},
                               {"MiB", 1024. * 1024.},
                               {"GiB", 1024. * 1024. * 1024.},
                               {"kB", 1e3},
                               {"MB", 1e6},
                               {"GB", 1e9}};
  for (const UnitOf& known : kUnits) {
    if (unit == known.name) return scale.value_or(1) * known.bytes;
  }
  return std::nullopt;
}

std::optional<std::vector<unsigned>> parse_id_list(std::string_view text) noexcept {
  std::vector<unsigned> ids;
  text = trimmed(text);
  if (text.empty()) return ids;
  const bool is_list = each_piece(text, ',', [&](std::string_view piece) {
    const auto range = parse_range(piece);
    if (!range || range->last >= kMaxId) return false;
    for (unsigned id = range->first; id <= range->last; ++id) ids.push_back(id);
    return true;
  });
  if (!is_list) return std::nullopt;
  return ids;
}

std::vector<std::string> EventSource::names(const std::string& root) noexcept {
  return files_of(root + kDirectory).value_or(std::vector<std::string>());
}

std::optional<EventSource> EventSource::read(const std::string& name, std::string& problem,
                                             const std::string& root) noexcept {
  const std::string path = root + kDirectory + '/' + name;
  EventSource source;
  source.name_ = name;
  const auto fail = [&](std::string sentence) {
    problem = std::move(sentence);
    return std::nullopt;
  };
  const auto type = line_of(path + "/type");
  if (!type)
    return fail(path + "/type cannot be read: without it the unit cannot be asked to count");
  const auto number = number_of<uint32_t>(*type);
  if (!number) return fail(refused(path + "/type", *type, "the number of the unit"));
  source.type_ = *number;

  for (const char* file :
       {"/cpumask", "/cpus"}) {  // "cpus": the cores of one kind, which count by thread too
    const auto list = line_of(path + file);
    if (!list) continue;
    const auto cpus = parse_id_list(*list);
    if (!cpus) return fail(refused(path + file, *list, "a list of CPUs such as 0-3,8"));
    source.cpus_ = *cpus;
    break;
  }
  const std::string formats = path + "/format/";
  for (const std::string& file : files_of(formats).value_or(std::vector<std::string>())) {
    const std::string field_path = formats + file;
    const auto text = line_of(field_path);
    if (!text) return fail(field_path + " cannot be read");
    EventField field{.name = file};
    if (!parse_field(*text, field))
      return fail(refused(field_path, *text,
                          "config, config1 or config2, and bits below 64, as in config:0-7,32-35"));
    source.fields_.push_back(std::move(field));
  }
  const std::string events = path + "/events/";
  for (const std::string& file : files_of(events).value_or(std::vector<std::string>())) {
    const size_t dot = file.rfind('.');
    const std::string event_path = events + file;
    if (dot != std::string::npos) continue;  // what is said of an event: read with it
    const auto terms = line_of(event_path);
    if (!terms) return fail(event_path + " cannot be read");
    NamedEvent event{
        .name = file, .terms = *terms, .unit = line_of(event_path + ".unit").value_or("")};
    if (const auto scale = line_of(event_path + ".scale")) {
      double factor = 0;
      const char* const end = scale->data() + scale->size();
      const auto [rest, error] = std::from_chars(scale->data(), end, factor);
      if (error != std::errc() || rest != end || !std::isfinite(factor) || factor <= 0)
        return fail(
            refused(event_path + ".scale", *scale, "a number above 0, such as 6.103515625e-5"));
      event.scale = factor;
    }
    source.events_.push_back(std::move(event));
  }
  // A unit whose driver is unloaded meanwhile loses its files one after the other.
  if (line_of(path + "/type") != type) return fail(path + " vanished while it was read");
  return source;
}

const NamedEvent* EventSource::event(std::string_view name) const noexcept {
  const auto found = std::find_if(events_.begin(), events_.end(),
                                  [&](const NamedEvent& event) { return event.name == name; });
  return found == events_.end() ? nullptr : &*found;
}

const EventField* EventSource::field(std::string_view name) const noexcept {
  const auto found = std::find_if(fields_.begin(), fields_.end(),
                                  [&](const EventField& field) { return field.name == name; });
  return found == fields_.end() ? nullptr : &*found;
}

std::optional<PerfEvent> EventSource::encode(std::string_view event,
                                             std::string& problem) const noexcept {
  const NamedEvent* known = this->event(event);
  const std::string_view terms = known == nullptr ? event : known->terms;
  uint64_t words[3] = {};
  const bool is_encoded = each_piece(terms, ',', [&](std::string_view term) {
    const size_t equals = term.find('=');
    const std::string_view key = term.substr(0, equals);
    const std::string_view text = equals == std::string_view::npos ? "1" : term.substr(equals + 1);
    const std::string where = name_ + '/' + std::string(event) + "/: ";
    if (text == "?") {
      problem =
          where + std::string(key) + " is for the caller to say, as " + std::string(key) + "=N";
      return false;
    }
    const auto value = number_of<uint64_t>(text);
    if (!value) {
      problem = where + quoted(term) + " has no number";
      return false;
    }
    EventField whole{.name = std::string(key), .bits = {{0, 63}}};
    const EventField* into = field(key);
    if (into == nullptr && (key == "config" || key == "config1" || key == "config2")) {
      whole.word = key == "config" ? 0 : static_cast<unsigned>(key.back() - '0');
      into = &whole;
    }
    if (into == nullptr) {
      problem = where + "the unit has no event and no field " + quoted(key);
      return false;
    }
    if (into->word > 2) {
      problem = where + quoted(key) + " stands in config3, which is not supported";
      return false;
    }
    if (into->width() < 64 && *value >> into->width() != 0) {
      problem = where + quoted(term) + " does not fit into the field, which has " +
                std::to_string(into->width()) + " bits";
      return false;
    }
    words[into->word] |= spread(*into, *value);
    return true;
  });
  if (!is_encoded) return std::nullopt;
  return PerfEvent{name_ + '/' + std::string(event) + '/', type_, words[0], words[1], words[2]};
}

}  // namespace numaheap::stats

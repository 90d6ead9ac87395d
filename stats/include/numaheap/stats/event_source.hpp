/// \file
/// EventSource: a PMU (a unit that counts) as the kernel describes it under /sys/bus/event_source/devices/NAME: its
/// number, the CPUs to count on, where the fields of an event stand (format/), and events by name (events/).
///
/// The files are input: a wrong number, a field beyond 64 bits, a folder that vanishes while it is read, is a sentence
/// that names the file, never a guess.
///
/// Threads: a read source is only read. It allocates; reading one opens some tens of small files.
/// Source: Linux, Documentation/ABI/testing/sysfs-bus-event_source-devices-*.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "numaheap/base/api.h"
#include "numaheap/stats/perf_kernel.hpp"

namespace numaheap::stats {

/// A field of an event: the bits of one of the config words, lowest first ("config:0-7,32-35").
struct EventField {
  struct Bits {
    unsigned first;
    unsigned last;
  };
  std::string name;
  unsigned word =
      0;  ///< 0: config, 1: config1, 2: config2, 3: config3 (known, but no event can be made of it).
  std::vector<Bits> bits;

  [[nodiscard]] unsigned width() const noexcept;
};

/// An event that the kernel names, and what one count of it is.
struct NamedEvent {
  std::string name;
  std::string terms;  ///< "event=0x04,umask=0x03".
  std::optional<double> scale;
  std::string unit;  ///< "MiB", or empty.

  /// Bytes for one count, where scale and unit say so: a unit of bytes, KiB, MiB, GiB, kB, MB or GB.
  [[nodiscard]] std::optional<double> bytes_per_count() const noexcept;
};

class NH_API EventSource {
 public:
  /// The names of all sources under `root`/sys/bus/event_source/devices, sorted; none if the folder is not there.
  static std::vector<std::string> names(const std::string& root = "") noexcept;
  /// \param problem  set to a sentence if nothing is returned.
  static std::optional<EventSource> read(const std::string& name, std::string& problem,
                                         const std::string& root = "") noexcept;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] uint32_t type() const noexcept { return type_; }
  /// The CPUs on which to open an event that counts for more than one CPU (uncore: one a socket). Empty: it counts by
  /// thread, on any CPU.
  [[nodiscard]] const std::vector<unsigned>& cpus() const noexcept { return cpus_; }
  [[nodiscard]] const std::vector<NamedEvent>& events() const noexcept { return events_; }
  [[nodiscard]] const NamedEvent* event(std::string_view name) const noexcept;
  [[nodiscard]] const EventField* field(std::string_view name) const noexcept;

  /// An event by its name here or by its terms ("event=0x04,umask=0x03", "config=0x304"; a term without a value is 1).
  /// \param problem  set to a sentence if nothing is returned.
  [[nodiscard]] std::optional<PerfEvent> encode(std::string_view event,
                                                std::string& problem) const noexcept;

 private:
  std::string name_;
  uint32_t type_ = 0;
  std::vector<unsigned> cpus_;
  std::vector<EventField> fields_;
  std::vector<NamedEvent> events_;
};

/// A list as the kernel prints it, "0-3,8", as numbers. \returns nothing if it is no such list.
NH_API std::optional<std::vector<unsigned>> parse_id_list(std::string_view text) noexcept;

}  // namespace numaheap::stats

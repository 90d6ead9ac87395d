#include "settings.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "report.hpp"

namespace numaheap {

namespace alloc {

namespace {

constexpr char kPrefix[] = "NUMAHEAP_";

/// "64", "64K", "64KiB", "8M", "1.5G" is not accepted: whole numbers only. \returns false if it is not a size.
bool parse_size(std::string_view text, size_t* bytes) noexcept {
  size_t value = 0;
  size_t i = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    if (__builtin_mul_overflow(value, size_t{10}, &value) ||
        __builtin_add_overflow(value, size_t(text[i] - '0'), &value))
      return false;
  }
  if (i == 0) return false;
  std::string_view unit = text.substr(i);
  if (!unit.empty() && unit != "B") {
    static constexpr char kUnits[] = "KMGT";
    const char* found = strchr(kUnits, unit[0] >= 'a' ? unit[0] - 'a' + 'A' : unit[0]);
    if (found == nullptr || *found == 0) return false;
    const auto shift = static_cast<unsigned>(10 * (found - kUnits + 1));
    if (value >> (64 - shift) != 0) return false;
    value <<= shift;
    unit.remove_prefix(1);
    if (!unit.empty() && unit != "B" && unit != "iB") return false;
  }
  *bytes = value;
  return true;
}

bool parse_in(std::string_view text, size_t lowest, size_t highest, size_t* out) noexcept {
  size_t value = 0;
  if (!parse_size(text, &value) || value < lowest || value > highest) return false;
  *out = value;
  return true;
}

/// Finds a word in a list of them. \returns its index or -1.
int word_index(std::string_view text, std::initializer_list<std::string_view> words) noexcept {
  int i = 0;
  for (std::string_view word : words) {
    if (text == word) return i;
    ++i;
  }
  return -1;
}

bool set_switch(std::string_view text, std::string_view off, std::string_view on,
                bool* value) noexcept {
  const int i = word_index(text, {off, on});
  if (i >= 0) *value = i == 1;
  return i >= 0;
}

/// "on", or "auto,node1=off,node2=on": the process' choice, then those of nodes.
bool set_huge_pages(std::string_view text, Settings& settings) noexcept {
  constexpr HugePages kChoices[] = {HugePages::kOff, HugePages::kAuto, HugePages::kLarge,
                                    HugePages::kOn};
  bool first = true;
  while (!text.empty()) {
    std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(item.size() + (item.size() < text.size() ? 1 : 0));
    size_t node = 0;
    const bool for_node = item.starts_with("node");
    if (for_node) {
      const size_t equals = item.find('=');
      if (equals == std::string_view::npos ||
          !parse_in(item.substr(4, equals - 4), 0, numa::AddressSpace::kMaxRanges - 1, &node))
        return false;
      item.remove_prefix(equals + 1);
    }
    const int choice = word_index(item, {"off", "auto", "large", "on"});
    if (choice < 0 || (!for_node && !first)) return false;
    if (for_node) {
      settings.node_huge_pages[node] = kChoices[choice];
      settings.node_huge_pages_set[node / 64] |= uint64_t{1} << (node % 64);
    } else {
      settings.huge_pages = kChoices[choice];
    }
    first = false;
  }
  return !first;
}

template <Limit Settings::*Member, Bytes Limit::*Bound>
bool set_limit_bytes(std::string_view text, Settings& settings) noexcept {
  return parse_in(text, 0, ~size_t{0} >> 1, &(settings.*Member.*Bound).value);
}

struct Setting {
  SettingInfo info;
  bool (*set)(std::string_view text, Settings& settings) noexcept;
};

constexpr char kBytesRange[] = "0 (no limit) or a size such as 512M or 4GiB";

constexpr Setting kSettings[] = {
    {{"BACKEND", "word", "numa", "numa or system",
      "system sends every call to the process' own malloc: for sanitizers, valgrind or another "
      "allocator without a rebuild. No ranges, no placement, no figures."},
     [](std::string_view t, Settings& s) noexcept {
       return set_switch(t, "numa", "system", &s.system_backend);
     }},
    {{"MISUSE", "word", "report", "report or abort",
      "What happens when a pointer is freed that is not ours or not the start of a block: dropped, "
      "counted and reported once, or the process stops."},
     [](std::string_view t, Settings& s) noexcept {
       return set_switch(t, "report", "abort", &s.abort_on_misuse);
     }},
    {{"MBIND", "word", "on", "on or off",
      "off places memory without mbind(2), as where a seccomp filter refuses it."},
     [](std::string_view t, Settings& s) noexcept {
       return set_switch(t, "off", "on", &s.try_mbind);
     }},
    {{"HUGE_PAGES", "word", "auto", "off, auto, large or on; then per node, as in auto,node1=off",
      "Huge pages in the ranges: auto leaves the first 64 MiB of a range on small pages, large "
      "takes blocks of 2 MiB and more only. A server that forks to save wants off: each page "
      "copied on write is then 4 KiB, not 2 MiB."},
     set_huge_pages},
    {{"RANGE", "bytes", "1T", "64M to 16T, a power of two",
      "Address space reserved per node. It is not memory: only what is used is backed. Halved "
      "where it cannot be had."},
     [](std::string_view t, Settings& s) noexcept {
       size_t value = 0;
       if (!parse_in(t, MiB(64).value, TiB(16).value, &value) || (value & (value - 1)) != 0)
         return false;
       s.range_span = Bytes{value};
       return true;
     }},
    {{"THREAD_CACHE", "bytes", "8M", "64K to 1G",
      "The most that one thread's caches hold together (and one batch per size class more)."},
     [](std::string_view t, Settings& s) noexcept {
       return parse_in(t, KiB(64).value, GiB(1).value, &s.thread_cache.value);
     }},
    {{"NODE_CACHE", "bytes", "512K per CPU of the node, at least 4M", "0 to 64G",
      "The most that a node's transfer cache holds."},
     [](std::string_view t, Settings& s) noexcept {
       return s.node_cache_set = parse_in(t, 0, GiB(64).value, &s.node_cache.value);
     }},
    {{"DIRTY_DECAY_MS", "ms", "10000", "-1 (never) to 3600000",
      "How long unused pages stay with the arena before they are given back, in small steps."},
     [](std::string_view t, Settings& s) noexcept {
       size_t value = 0;
       if (t == "-1") return s.dirty_decay_ms = -1, true;
       if (!parse_in(t, 0, 3600000, &value)) return false;
       s.dirty_decay_ms = static_cast<int64_t>(value);
       return true;
     }},
    {{"PUBLISH_MS", "ms", "100", "0 (never) to 60000",
      "How often a snapshot of all figures is put where numaheap top and its kin read it."},
     [](std::string_view t, Settings& s) noexcept {
       size_t value = 0;
       if (!parse_in(t, 0, 60000, &value)) return false;
       s.publish_ms = static_cast<int64_t>(value);
       return true;
     }},
    {{"BACKGROUND", "word", "off", "off or on",
      "on gives a thread to housekeeping and publishing, so that a process that allocates nothing "
      "gives memory back and shows fresh figures."},
     [](std::string_view t, Settings& s) noexcept {
       return set_switch(t, "off", "on", &s.background);
     }},
    {{"REBIND_AFTER", "slow paths", "32", "1 to 1000000",
      "A thread takes another node as its home when so many of its cache misses in a row found it "
      "there."},
     [](std::string_view t, Settings& s) noexcept {
       size_t value = 0;
       if (!parse_in(t, 1, 1000000, &value)) return false;
       s.rebind_after = static_cast<unsigned>(value);
       return true;
     }},
    {{"SOFT_LIMIT", "bytes", "0", kBytesRange,
      "Live bytes of the process above which the host is told."},
     set_limit_bytes<&Settings::live, &Limit::soft>},
    {{"HARD_LIMIT", "bytes", "0", kBytesRange,
      "Live bytes of the process above which requests are refused (ENOMEM)."},
     set_limit_bytes<&Settings::live, &Limit::hard>},
    {{"NODE_SOFT_LIMIT", "bytes", "0", kBytesRange, "The same for each node."},
     set_limit_bytes<&Settings::node_live, &Limit::soft>},
    {{"NODE_HARD_LIMIT", "bytes", "0", kBytesRange, "The same for each node."},
     set_limit_bytes<&Settings::node_live, &Limit::hard>},
    {{"RESIDENT_SOFT_LIMIT", "bytes", "0", kBytesRange,
      "Resident bytes of the process (VmRSS, sampled)."},
     set_limit_bytes<&Settings::resident, &Limit::soft>},
    {{"RESIDENT_HARD_LIMIT", "bytes", "0", kBytesRange,
      "Resident bytes of the process (VmRSS, sampled)."},
     set_limit_bytes<&Settings::resident, &Limit::hard>},
    {{"CGROUP_SOFT_LIMIT", "bytes", "0", kBytesRange,
      "memory.current of the process' cgroup, sampled."},
     set_limit_bytes<&Settings::cgroup, &Limit::soft>},
    {{"CGROUP_HARD_LIMIT", "bytes", "0", kBytesRange,
      "memory.current of the process' cgroup, sampled."},
     set_limit_bytes<&Settings::cgroup, &Limit::hard>},
};

constexpr size_t kSettingCount = sizeof kSettings / sizeof kSettings[0];

constexpr auto kInfos = [] {
  std::array<SettingInfo, kSettingCount> infos{};
  for (size_t i = 0; i < kSettingCount; ++i) infos[i] = kSettings[i].info;
  return infos;
}();

bool limits_are_in_order(const Settings& s) noexcept {
  for (const Limit& limit : {s.live, s.node_live, s.resident, s.cgroup}) {
    if (limit.hard.value != 0 && limit.soft > limit.hard) return false;
  }
  return true;
}

}  // namespace

Settings read_settings() noexcept {
  Settings settings;
  for (const Setting& setting : kSettings) {
    char name[64];
    snprintf(name, sizeof name, "%s%s", kPrefix, setting.info.name);
    const char* value = secure_getenv(name);
    if (value == nullptr) continue;
    Settings changed = settings;
    if (setting.set(value, changed)) {
      settings = changed;
    } else {
      char text[200];
      snprintf(text, sizeof text, "%s=%.40s is not accepted (%s): the default %s holds", name,
               value, setting.info.range_text, setting.info.default_text);
      report_copy(ReportKind::kSetting, text);
    }
  }
  if (!limits_are_in_order(settings)) {
    report_once(ReportKind::kSetting,
                "a soft limit is above its hard limit: no limit of the environment is applied");
    settings.live = settings.node_live = settings.resident = settings.cgroup = Limit{};
  }
  return settings;
}

}  // namespace alloc

std::span<const SettingInfo> settings() noexcept { return alloc::kInfos; }

Status check_setting(std::string_view name, std::string_view value) noexcept {
  for (const alloc::Setting& setting : alloc::kSettings) {
    if (name != setting.info.name) continue;
    alloc::Settings ignored;
    if (setting.set(value, ignored)) return Unit{};
    return Error{ErrorCode::kInvalidArgument, 0, setting.info.range_text};
  }
  return Error{ErrorCode::kNotFound, 0, "there is no such setting"};
}

}  // namespace numaheap

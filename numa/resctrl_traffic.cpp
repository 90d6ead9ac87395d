// Traffic counted by resctrl: cumulative bytes that missed each last cache, in all and from the own node's memory.
#include <dirent.h>

#include <charconv>
#include <fstream>
#include <map>
#include <utility>

#include "traffic_counter.hpp"

namespace numaheap::numa {

namespace {

constexpr const char* kMount = "/sys/fs/resctrl";
constexpr const char* kDomain = "mon_L3_";
constexpr const char* kSubdomain = "mon_sub_L3_";

std::vector<std::string> folders(const std::string& path) {
  std::vector<std::string> names;
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.' && entry->d_type != DT_REG) names.emplace_back(entry->d_name);
  }
  closedir(directory);
  return names;
}

/// "PREFIX_NN" as NN.
std::optional<unsigned> number_after(const std::string& name, const std::string& prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  unsigned number = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + prefix.size(), end, number);
  return error == std::errc() && rest == end ? std::optional(number) : std::nullopt;
}

class Resctrl final : public TrafficCounter {
 public:
  Resctrl(const std::string& root, const MemoryDomains& domains) noexcept
      : mount_(root + kMount), domains_(domains) {}

  std::vector<ChannelTraffic> take() noexcept override {
    std::vector<ChannelTraffic> traffic;
    // Each control group is counted for itself (its own monitoring groups are in it), and the mount is one too.
    take_group(mount_, traffic);
    for (const std::string& group : folders(mount_)) {
      if (group != "info" && group != "mon_groups" && group != "mon_data")
        take_group(mount_ + '/' + group, traffic);
    }
    for (auto& [path, domain] : domains_seen_) {
      if (!std::exchange(domain.is_there, false))
        traffic.push_back({domain.home, std::nullopt, 1, path + " vanished"});
    }
    return traffic;
  }

  [[nodiscard]] std::string note() const noexcept override {
    std::string note = "Misses of the last caches: traffic of devices is not in it. ";
    if (domains_.with_memory().size() > 2)
      note +=
          "Nor is what other nodes' CPUs read and write: with more than two nodes nothing tells "
          "whose memory it is. ";
    note.pop_back();
    return note;
  }

 private:
  struct Domain {
    NodeSet home;
    bool is_there;  // in this round
  };
  struct Read {
    std::optional<uint64_t> bytes;
    std::string reason;
  };

  void take_group(const std::string& group, std::vector<ChannelTraffic>& traffic) {
    const std::string data = group + "/mon_data/";
    for (const std::string& domain : folders(data)) {
      const auto cache = number_after(domain, kDomain);
      if (!cache) continue;
      std::string path = data;
      path += domain;
      bool is_divided = false;  // into sub-NUMA clusters, which are nodes
      for (const std::string& part : folders(path)) {
        const auto node = number_after(part, kSubdomain);
        if (!node || *node >= kMaxNodes) continue;
        is_divided = true;
        NodeSet nodes;
        nodes.insert(NodeId{*node});
        std::string part_path = path;
        part_path.append("/").append(part);
        take_domain(part_path, nodes, traffic);
      }
      if (!is_divided) take_domain(path, domains_.of_last_cache(*cache), traffic);
    }
  }

  void take_domain(const std::string& path, const NodeSet& home,
                   std::vector<ChannelTraffic>& traffic) {
    // Of the mount's own group only: other groups come and go.
    if (path.starts_with(mount_ + "/mon_data")) domains_seen_[path] = {home, true};
    const Read total = difference(path + "/mbm_total_bytes");
    const NodeSet& all = domains_.with_memory();
    if (all.size() == 1) {
      traffic.push_back(channel(all, total, 0));
      return;
    }
    const Read local = difference(path + "/mbm_local_bytes");
    traffic.push_back(channel(home, local, 0));
    if (all.size() != 2 || home.size() != 1) return;
    NodeSet other = all;
    other.erase(home.next(NodeId{0}));
    // The two files are read one after the other: what came between makes local the larger one at times.
    traffic.push_back(channel(other, local.bytes ? total : local, local.bytes.value_or(0)));
  }

  static ChannelTraffic channel(const NodeSet& nodes, const Read& read, uint64_t without) {
    if (!read.bytes) return {nodes, std::nullopt, 1, read.reason};
    return {nodes, static_cast<double>(*read.bytes > without ? *read.bytes - without : 0), 1, {}};
  }

  /// Bytes are of the time since the last take: what was counted over a gap is lost, or the rate would be too high.
  Read difference(const std::string& path) {
    const auto [last, is_new] = last_.try_emplace(path);
    const std::optional<uint64_t> before = std::exchange(last->second, std::nullopt);
    std::ifstream file(path);
    std::string text;
    if (!std::getline(file, text)) return {{}, path + " cannot be read"};
    uint64_t now = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, now);
    if (error != std::errc() || rest != end)
      return {{}, path + " says \"" + text + "\""};  // "Unavailable", "Unassigned", "Error"
    last->second = now;
    if (is_new) return {0, {}};
    if (!before) return {{}, path + " could not be read before"};
    if (now < *before)
      return {{}, path + " went back: the counter was given to somebody else meanwhile"};
    return {now - *before, {}};
  }

  std::string mount_;
  MemoryDomains domains_;
  std::map<std::string, std::optional<uint64_t>> last_;  // by file; nothing: could not be read
  std::map<std::string, Domain> domains_seen_;
};

}  // namespace

std::unique_ptr<TrafficCounter> open_resctrl(const std::string& root, const MemoryDomains& domains,
                                             std::string& problem) noexcept {
  const std::string data = root + kMount + "/mon_data/";
  std::string first;
  for (const std::string& name : folders(data)) {
    if (number_after(name, kDomain)) first = name;
  }
  if (first.empty()) {
    problem = folders(root + kMount).empty()
                  ? "resctrl is not mounted (mount -t resctrl resctrl /sys/fs/resctrl, as root), "
                    "or the kernel has none"
                  : "resctrl cannot monitor here: " + data + " has no cache";
    return nullptr;
  }
  for (const char* file : {"/mbm_total_bytes", "/mbm_local_bytes"}) {
    const bool is_needed =
        domains.with_memory().size() > 1 || file == std::string("/mbm_total_bytes");
    if (is_needed && !std::ifstream(data + first + file)) {
      problem =
          data + first + file + " cannot be read: the CPU does not count it, or it takes root";
      return nullptr;
    }
  }
  auto resctrl = std::make_unique<Resctrl>(root, domains);
  const auto channels = resctrl->take();
  for (const ChannelTraffic& channel : channels) {
    if (channel.nodes.empty()) {
      problem = "the nodes of its last caches are not known (cache/index3/id of the CPUs)";
      return nullptr;
    }
  }
  return resctrl;
}

}  // namespace numaheap::numa

#include <algorithm>
#include <string_view>

#include "doctor_rules.hpp"
#include "figure.hpp"
#include "numaheap/stats/doctor_metrics.hpp"
#include "numaheap/stats/host_figures.hpp"
#include "numaheap/stats/info.hpp"
#include "quantity.hpp"

namespace numaheap::stats {

namespace {

using std::string_view;

constexpr char kUnreadable[] = "it cannot be read";

Figure sum(const Evidence& e, const char* metric) noexcept { return sum_of(e.snapshot, metric); }

Measured not_there(const char* what, const char* because) noexcept {
  return {.missing = what, .because = because};
}
Measured not_there(const Figure& figure) noexcept {
  return not_there(figure.missing, figure.because);
}

/// part / whole, and nothing beside.
Measured ratio(const Figure& part, const Figure& whole, const char* whole_name) noexcept {
  if (part.missing != nullptr) return not_there(part);
  if (whole.missing != nullptr) return not_there(whole);
  if (whole.value <= 0) return not_there(whole_name, "it is 0");
  return {.value = part.value / whole.value};
}

/// part / whole, and by how many bytes the part is more.
Measured ratio_and_excess(const Evidence& e, const char* part, const char* whole) noexcept {
  const Figure a = sum(e, part);
  const Figure b = sum(e, whole);
  Measured result = ratio(a, b, whole);
  if (result.because == nullptr) result.amount = a.value - b.value;
  return result;
}

/// part / whole, and how many bytes the part is.
Measured share_and_part(const Evidence& e, const char* part, const char* whole) noexcept {
  const Figure a = sum(e, part);
  Measured result = ratio(a, sum(e, whole), whole);
  if (result.because == nullptr) result.amount = a.value;
  return result;
}

bool is_of_node(const Sample& sample, const char* metric, const Label& node) noexcept {
  return string_view(sample.metric->name) == metric && sample.labels[0] == node;
}

/// The node where part / whole is the most; both metrics have the node as their first label.
Measured worst_node(const Evidence& e, const char* part, const char* whole) noexcept {
  for (const char* metric : {part, whole}) {
    if (const Figure figure = sum(e, metric); figure.missing != nullptr) return not_there(figure);
  }
  Measured worst = not_there(whole, "it is 0 on every node");
  for (const Sample& of_whole : e.snapshot.samples) {
    if (string_view(of_whole.metric->name) != whole ||
        of_whole.labels[0].kind() != Label::Kind::kNumber || of_whole.value <= 0)
      continue;
    bool is_there = false;
    double value = 0;
    for (const Sample& sample : e.snapshot.samples) {
      if (!is_of_node(sample, part, of_whole.labels[0])) continue;
      is_there = true;
      value += in_base_unit(sample.value, sample.metric->unit);
    }
    if (!is_there) continue;
    const double share = value / in_base_unit(of_whole.value, of_whole.metric->unit);
    if (worst.because != nullptr || share > worst.value) {
      worst = {.value = share,
               .amount = value,
               .node = NodeId{static_cast<unsigned>(of_whole.labels[0].number())}};
    }
  }
  return worst;
}

Measured client_buffers(const Evidence& e) noexcept {
  const Figure clients = sum(e, metric_name(HostFigure::kClients));
  const Figure replicas = sum(e, metric_name(HostFigure::kReplicas));
  const Figure bytes = sum(e, metric_name(HostFigure::kClientsNormal));
  for (const Figure& figure : {clients, replicas, bytes}) {
    if (figure.missing != nullptr) return not_there(figure);
  }
  const double others = clients.value - replicas.value;
  return {.value = others > 0 ? bytes.value / others : 0};
}

Measured replica_buffers(const Evidence& e) noexcept {
  const Figure replicas = sum(e, metric_name(HostFigure::kReplicas));
  const Figure bytes = sum(e, metric_name(HostFigure::kClientsReplicas));
  for (const Figure& figure : {replicas, bytes}) {
    if (figure.missing != nullptr) return not_there(figure);
  }
  return {.value = replicas.value > 0 ? bytes.value : 0};
}

Measured scripts(const Evidence& e) noexcept {
  const Figure figure = sum(e, metric_name(HostFigure::kCachedScripts));
  if (figure.missing != nullptr) return not_there(figure);
  return {.value = figure.value};
}

Measured remote_frees(const Evidence& e) noexcept {
  for (const char* metric : {kReturnedBytes, kFreedRemoteBytes}) {
    if (const Figure figure = sum(e, metric); figure.missing != nullptr) return not_there(figure);
  }
  const double share =
      e.recent.returned > 0 ? std::min(1.0, e.recent.freed_remote / e.recent.returned) : 0;
  return {.value = share, .amount = e.recent.freed_remote};
}

Measured spill(const Evidence& e) noexcept {
  if (e.facts.memory_nodes == 1) return {.value = 0, .amount = 0.0};  // where to?
  return worst_node(e, kRangeElsewhereBytes, kRangeResidentBytes);
}

Measured full_range(const Evidence& e) noexcept {
  const Figure spilled = sum(e, kSpilledBytes);
  if (spilled.missing != nullptr) return not_there(spilled);
  return {.value = spilled.value};
}

/// Untouched memory lowers the ratio as swapped memory does: where the kernel says how much is swapped, that counts too.
Measured swap(const Evidence& e) noexcept {
  Measured result = ratio(sum(e, kProcessResidentBytes), sum(e, kLiveBytes), kLiveBytes);
  if (result.because == nullptr && e.facts.swapped_bytes != KernelFacts::kNotAvailable)
    result.amount = static_cast<double>(e.facts.swapped_bytes);
  return result;
}

/// What is resident beyond the heap's books, as far as huge pages can be the reason.
Measured huge_page_bloat(const Evidence& e) noexcept {
  if (e.facts.huge_pages == KernelFacts::HugePages::kNever) return {.value = 0, .amount = 0.0};
  if (e.facts.huge_bytes == KernelFacts::kNotAvailable)
    return not_there("AnonHugePages of the process", kUnreadable);
  Measured result = ratio_and_excess(e, kProcessResidentBytes, kResidentBytes);
  if (result.because != nullptr) return result;
  const double bloat = std::clamp(*result.amount, 0.0, static_cast<double>(e.facts.huge_bytes));
  const double resident = sum(e, kProcessResidentBytes).value;
  return {.value = resident > 0 ? bloat / resident : 0, .amount = bloat};
}

Measured map_count(const Evidence& e) noexcept {
  if (e.facts.maps == KernelFacts::kNotAvailable)
    return not_there("the number of the process' mappings", kUnreadable);
  if (e.facts.most_maps <= 0) return not_there("vm.max_map_count", kUnreadable);
  return {.value = static_cast<double>(e.facts.maps) / static_cast<double>(e.facts.most_maps)};
}

/// What the heap moves says little of what all programs do with the memory.
Measured bandwidth(const Evidence& e) noexcept {
  for (const Sample& sample : e.snapshot.samples) {
    if (string_view(sample.metric->name) != kBandwidth) continue;
    for (const Label& label : sample.labels) {
      if (label == Label("own_books"))
        return not_there(kBandwidth, "it counts only what the heap itself moves");
    }
  }
  return worst_node(e, kBandwidth, kBandwidthPeak);
}

/// Bound memory is not scanned for migration: where a range could not be bound, balancing moves its pages.
Measured auto_numa(const Evidence& e) noexcept {
  if (e.facts.memory_nodes == 1) return {.value = 0};
  if (e.facts.memory_nodes == KernelFacts::kNotAvailable)
    return not_there("the number of nodes with memory", kUnreadable);
  if (e.facts.numa_balancing == KernelFacts::kNotAvailable)
    return not_there("kernel.numa_balancing", kUnreadable);
  Measured result{.value = static_cast<double>(e.facts.numa_balancing),
                  .severity = Severity::kNotice};
  for (const Sample& sample : e.snapshot.samples) {
    if (string_view(sample.metric->name) != kPlacement || sample.metric->label_count() != 2 ||
        sample.labels[1].kind() != Label::Kind::kText)
      continue;
    const string_view rung = sample.labels[1].text();
    if (rung != "pinned populate" && rung != "first touch") continue;
    result.severity = Severity::kWarning;
    if (sample.labels[0].kind() == Label::Kind::kNumber)
      result.node = NodeId{static_cast<unsigned>(sample.labels[0].number())};
    break;
  }
  return result;
}

Measured defrag_waste(const Evidence& e) noexcept {
  for (const char* metric : {kDefragMovedBytes, kDefragReclaimedBytes}) {
    if (const Figure figure = sum(e, metric); figure.missing != nullptr) return not_there(figure);
  }
  const double moved = e.recent.defrag_moved;
  return {.value = moved > 0 ? e.recent.defrag_reclaimed / moved : 0, .amount = moved};
}

Measured empty(const Evidence& e) noexcept {
  const Figure live = sum(e, kLiveBytes);
  if (live.missing != nullptr) return not_there(live);
  return {.value = live.value};
}

/// Redis' ratio is 1 + waste / allocated, its bytes the waste.
Measured allocator_fragmentation(const Evidence& e) noexcept {
  Measured result = share_and_part(e, kFragmentedBytes, kAllocatedBytes);
  if (result.because == nullptr) {
    const double allocated = sum(e, kAllocatedBytes).value;
    result.value = (allocated + *result.amount) / allocated;
  }
  return result;
}

}  // namespace

Measured measure(Rule rule, const Evidence& e) noexcept {
  switch (rule) {
    case Rule::kEmpty:
      return empty(e);
    case Rule::kBigPeak:
      return ratio(sum(e, kPeakBytes), sum(e, kLiveBytes), kLiveBytes);
    case Rule::kHighRss:
      return ratio_and_excess(e, kProcessResidentBytes, kLiveBytes);
    case Rule::kAllocatorFragmentation:
      return allocator_fragmentation(e);
    case Rule::kAllocatorRss:
      return ratio_and_excess(e, kResidentBytes, kActiveBytes);
    case Rule::kProcessRss:
      return ratio_and_excess(e, kProcessResidentBytes, kResidentBytes);
    case Rule::kClientBuffers:
      return client_buffers(e);
    case Rule::kReplicaBuffers:
      return replica_buffers(e);
    case Rule::kScripts:
      return scripts(e);
    case Rule::kRemoteFrees:
      return remote_frees(e);
    case Rule::kSpill:
      return spill(e);
    case Rule::kFullRange:
      return full_range(e);
    case Rule::kSwap:
      return swap(e);
    case Rule::kHugePageBloat:
      return huge_page_bloat(e);
    case Rule::kMapCount:
      return map_count(e);
    case Rule::kLazyfreeBacklog:
      return share_and_part(e, kLazyfreePendingBytes, kLiveBytes);
    case Rule::kCacheOverhead:
      return share_and_part(e, kCachedBytes, kLiveBytes);
    case Rule::kBandwidth:
      return bandwidth(e);
    case Rule::kAutoNuma:
      return auto_numa(e);
    case Rule::kDefragWaste:
      return defrag_waste(e);
  }
  return not_there("the rule", "it is not known");
}

Doctor::Totals totals_of(const Snapshot& snapshot) noexcept {
  const Evidence e{.snapshot = snapshot, .facts = {}, .recent = {}};
  return {.returned = sum(e, kReturnedBytes).value,
          .freed_remote = sum(e, kFreedRemoteBytes).value,
          .defrag_moved = sum(e, kDefragMovedBytes).value,
          .defrag_reclaimed = sum(e, kDefragReclaimedBytes).value};
}

}  // namespace numaheap::stats

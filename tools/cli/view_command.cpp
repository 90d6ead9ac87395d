#include "view_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iterator>
#include <thread>
#include <utility>
#include <vector>

#include "numaheap/stats/doctor.hpp"
#include "numaheap/stats/info.hpp"
#include "numaheap/stats/json.hpp"
#include "numaheap/stats/memory_stats.hpp"
#include "numaheap/stats/openmetrics.hpp"
#include "numaheap/stats/table.hpp"

namespace numaheap::cli {

namespace {

using stats::ForeignSnapshot;
using stats::ProcessView;
using std::chrono::nanoseconds;

Refusal refused(const std::string& who, const Error& error) {
  const bool permitted = error.code != ErrorCode::kNotPermitted;
  return {permitted ? kWrongInput : kFailed, fmt::format("process {}: {}", who, error.text)};
}

/// Calls `print` with the newest snapshot of a process.
template <class Print>
int with_snapshot(const char* command, const std::string& who, Print print) {
  auto process = find_process(who);
  std::variant<std::unique_ptr<ForeignSnapshot>, Refusal> snapshot = Refusal{};
  if (auto* view = std::get_if<ProcessView>(&process)) {
    snapshot = read_snapshot(*view, who);
  } else {
    snapshot = std::get<Refusal>(process);
  }
  if (const auto* refusal = std::get_if<Refusal>(&snapshot)) {
    fmt::print(stderr, "numaheap {}: {}\n", command, refusal->sentence);
    return refusal->exit_status;
  }
  print(*std::get<0>(snapshot));
  return kDone;
}

}  // namespace

std::variant<ProcessView, Refusal> find_process(const std::string& who) {
  int pid = 0;
  const auto [end, error] = std::from_chars(who.data(), who.data() + who.size(), pid);
  std::vector<int> pids = {pid};
  if (error != std::errc{} || end != who.data() + who.size()) {
    pids = stats::find_processes(who);
    if (pids.empty())
      return Refusal{kWrongInput, fmt::format("there is no process of the name \"{}\"; a pid or a "
                                              "name as ps -C knows it is accepted",
                                              who)};
  }
  std::vector<int> publishing;
  std::variant<ProcessView, Refusal> found = Refusal{};
  for (const int candidate : pids) {
    Result<ProcessView> view = ProcessView::open(candidate);
    if (view) {
      publishing.push_back(candidate);
      found.emplace<ProcessView>(std::move(*view));
    } else if (publishing.empty()) {
      found = refused(who, view.error());
    }
  }
  if (publishing.size() > 1)
    return Refusal{
        kWrongInput,
        fmt::format("{} processes of the name \"{}\" run on numaheap; name one by its pid: {}",
                    publishing.size(), who, fmt::join(publishing, ", "))};
  return found;
}

std::variant<std::unique_ptr<ForeignSnapshot>, Refusal> read_snapshot(ProcessView& view,
                                                                      const std::string& who) {
  Result<std::unique_ptr<ForeignSnapshot>> snapshot = view.read();
  if (!snapshot) return refused(who, snapshot.error());
  return std::move(*snapshot);
}

namespace {

using Renderer = size_t (*)(const stats::Snapshot&, char*, size_t);

template <class Render>
std::string text_of(Render render) {
  std::string text(render(nullptr, 0), 0);
  render(text.data(), text.size() + 1);
  return text;
}

constexpr std::pair<const char*, Renderer> kFormats[] = {
    {"table", stats::render_table},
    {"json", stats::render_json},
    {"openmetrics", stats::render_openmetrics},
    {"prometheus", stats::render_prometheus},
    {"memory-stats", stats::render_memory_stats},
};

nanoseconds monotonic_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace

int print_info(const std::string& who) {
  return with_snapshot("info", who, [](const ForeignSnapshot& from) {
    std::string text = text_of([&](char* buffer, size_t size) {
      return stats::render_info(from.snapshot(), buffer, size);
    });
    std::erase(text, '\r');
    fmt::print("{}", text);
  });
}

int print_stats(const std::string& who, const std::string& format) {
  const auto* const chosen = std::find_if(std::begin(kFormats), std::end(kFormats),
                                          [&](const auto& known) { return known.first == format; });
  if (chosen == std::end(kFormats)) {
    fmt::print(stderr, "numaheap stats: --format \"{}\" is not known; accepted are {}\n", format,
               kStatsFormats);
    return kWrongInput;
  }
  return with_snapshot("stats", who, [&](const ForeignSnapshot& from) {
    if (chosen->second == stats::render_table)
      fmt::print("Published {} ms ago\n\n",
                 duration_cast<std::chrono::milliseconds>(from.age()).count());
    fmt::print("{}", text_of([&](char* buffer, size_t size) {
                 return chosen->second(from.snapshot(), buffer, size);
               }));
  });
}

int print_diagnosis(const DoctorOptions& options) {
  stats::Thresholds thresholds;
  char error[400];
  if (!stats::set_thresholds(thresholds, options.thresholds, error)) {
    fmt::print(stderr, "numaheap doctor: --set: {}\n", error);
    return kWrongInput;
  }
  auto process = find_process(options.process);
  stats::Doctor doctor(thresholds);
  stats::Diagnosis diagnosis;
  std::variant<std::unique_ptr<ForeignSnapshot>, Refusal> snapshot;  // the diagnosis points into it
  for (unsigned i = 0; i <= options.seconds; ++i) {
    if (i != 0) std::this_thread::sleep_for(std::chrono::seconds(1));
    auto* view = std::get_if<ProcessView>(&process);
    snapshot = view != nullptr ? read_snapshot(*view, options.process) : std::get<Refusal>(process);
    if (const auto* refusal = std::get_if<Refusal>(&snapshot)) {
      fmt::print(stderr, "numaheap doctor: {}\n", refusal->sentence);
      return refusal->exit_status;
    }
    const auto facts =
        stats::read_kernel_facts(stats::FactsEffort::kAll, static_cast<unsigned>(view->pid()));
    diagnosis = doctor.examine(std::get<0>(snapshot)->snapshot(), facts, monotonic_now());
  }
  fmt::print("{}", text_of([&](char* buffer, size_t size) {
               return options.as_json ? stats::render_diagnosis_json(diagnosis, buffer, size)
                                      : stats::render_diagnosis(diagnosis, buffer, size);
             }));
  return diagnosis.count(stats::Verdict::kFound) == 0 ? kDone : kFound;
}

}  // namespace numaheap::cli

#include "view_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <vector>

#include "numaheap/stats/info.hpp"

namespace numaheap::cli {

namespace {

using stats::ForeignSnapshot;
using stats::ProcessView;

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

int print_info(const std::string& who) {
  return with_snapshot("info", who, [](const ForeignSnapshot& from) {
    std::string text(stats::render_info(from.snapshot(), nullptr, 0), 0);
    stats::render_info(from.snapshot(), text.data(), text.size() + 1);
    std::erase(text, '\r');
    fmt::print("{}", text);
  });
}

}  // namespace numaheap::cli

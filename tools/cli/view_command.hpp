/// \file
/// `numaheap info | stats`: the figures of a running process, by pid or name.

#pragma once

#include <memory>
#include <string>
#include <variant>

#include "numaheap/stats/process_view.hpp"
#include "refusal.hpp"

namespace numaheap::cli {

/// The process that a word of the command line means: its pid, or the only one of that name that publishes.
[[nodiscard]] std::variant<stats::ProcessView, Refusal> find_process(const std::string& who);
/// What it published last.
[[nodiscard]] std::variant<std::unique_ptr<stats::ForeignSnapshot>, Refusal> read_snapshot(
    stats::ProcessView& view, const std::string& who);

/// Prints the memory section of INFO. \returns the exit status, as the others.
int print_info(const std::string& who);

}  // namespace numaheap::cli

/// \file
/// `numaheap export`: the figures of a running process over HTTP, for Prometheus and for browsers.

#pragma once

#include <string>

namespace numaheap::cli {

struct ExportOptions {
  std::string process;
  std::string listen = "127.0.0.1";
  unsigned port = 9121;
  bool exit_with_process = false;
};

/// Serves until SIGINT or SIGTERM, or, if so asked, until the process ends. \returns the exit status.
int export_process(const ExportOptions& options);

}  // namespace numaheap::cli

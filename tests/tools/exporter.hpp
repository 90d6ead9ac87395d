/// \file
/// Exporter: `numaheap export` of a process (NUMAHEAP_COMMAND is its path), on a free port.

#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "child_process.hpp"

namespace numaheap::tests {

class Exporter {
 public:
  explicit Exporter(const std::string& who, const std::string& option = "--listen=127.0.0.1")
      : process_({NUMAHEAP_COMMAND, "export", who, "--port", "0", option}, {}, directory_ / "log") {
    const std::string start = "Listening on http://127.0.0.1:";
    EXPECT_TRUE(wait_until(
        [&] { return process_.log().find("/\n") != std::string::npos || !process_.is_running(); }));
    EXPECT_EQ(process_.log().substr(0, start.size()), start) << process_.log();
    port_ = static_cast<unsigned>(std::atoi(process_.log().substr(start.size()).c_str()));
  }
  [[nodiscard]] unsigned port() const { return port_; }
  [[nodiscard]] std::string log() const { return process_.log(); }
  [[nodiscard]] bool is_running() { return process_.is_running(); }
  [[nodiscard]] pid_t id() const { return process_.id(); }
  int stop() { return process_.stop(); }

 private:
  TemporaryDirectory directory_;
  ChildProcess process_;
  unsigned port_ = 0;
};

}  // namespace numaheap::tests

/// \file
/// Published: a process that runs published_process (PUBLISHED_PROCESS is its path), for tests that look at it.

#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "child_process.hpp"

namespace numaheap::tests {

/// A process that publishes, with its input held open.
class Published {
 public:
  explicit Published(const Variables& variables = {}, const std::string& argument = "seen")
      : process_({"sh", "-c", "exec " + program() + " " + argument + " < " + fifo()}, variables,
                 directory_ / "log") {
    input_ = open((directory_ / "input").c_str(), O_WRONLY);
    EXPECT_TRUE(wait_until([&] { return process_.log().find("ready") != std::string::npos; }))
        << process_.log();
  }
  ~Published() { close(input_); }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;
  [[nodiscard]] std::string pid() const { return std::to_string(process_.id()); }
  /// Its name, which no process of another test has.
  [[nodiscard]] static std::string name() { return "seen" + std::to_string(getpid()); }
  int stop() { return process_.stop(); }

 private:
  std::string program() {
    const std::string link = directory_ / name();
    EXPECT_EQ(symlink(PUBLISHED_PROCESS, link.c_str()), 0);
    return link;
  }
  std::string fifo() {
    const std::string path = directory_ / "input";
    EXPECT_EQ(run({"mkfifo", path}).status, 0);
    return path;
  }

  TemporaryDirectory directory_;
  ChildProcess process_;
  int input_ = -1;
};

}  // namespace numaheap::tests

/// \file
/// Child processes for tests: run one to its end and see what it printed, or have one for a while (a server).
///
/// Nothing is left behind: a child that exceeds its time, or outlives its ChildProcess, is killed and waited for.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace numaheap::tests {

using Command = std::vector<std::string>;
/// Variables that the child gets beside those of this process; an empty text takes one away.
using Variables = std::map<std::string, std::string>;

/// Where a program is, by PATH; nothing if it is not installed.
std::optional<std::string> find_program(const std::string& name);

struct Finished {
  int status =
      -1;  ///< Exit status, or minus the signal that ended it (-SIGKILL: it took too long).
  std::string out;
  std::string err;
};

/// Runs a command to its end, at most two minutes.
Finished run(const Command& command, const Variables& variables = {},
             const std::string& input = "");

/// A child that runs beside the test. Its stdout and stderr go to a file.
class ChildProcess {
 public:
  ChildProcess(const Command& command, const Variables& variables, const std::string& log);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t id() const { return id_; }
  [[nodiscard]] bool is_running();
  /// Asks it to end with SIGTERM. \returns as Finished::status.
  int stop();
  [[nodiscard]] std::string log() const;

 private:
  pid_t id_ = -1;
  int status_ = 0;
  std::string log_;
};

/// Asks again and again, for at most a minute, whether something outside this process has happened.
bool wait_until(const std::function<bool()>& happened);

/// A directory for sockets and files, gone with everything in it at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The text of a file; empty if there is none.
std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& text);

/// The number after "Name:" in a text of such lines ("VmRSS:   1234 kB"), or -1.
double number_after(const std::string& text, const std::string& name);

}  // namespace numaheap::tests

#include "child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace numaheap::tests {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::minutes kMostRunTime{2};
constexpr std::chrono::seconds kMostWait{60};

/// What execve(2) takes, from texts.
std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> environment_with(const Variables& variables) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!variables.contains(text.substr(0, text.find('=')))) result.push_back(text);
  }
  for (const auto& [name, value] : variables) {
    if (!value.empty()) result.push_back(name + "=" + value);
  }
  return result;
}

pid_t spawn(const Command& command, const Variables& variables,
            posix_spawn_file_actions_t* actions) {
  std::vector<std::string> arguments = command;
  std::vector<std::string> environment = environment_with(variables);
  pid_t id = -1;
  const int error = posix_spawnp(&id, command[0].c_str(), actions, nullptr,
                                 pointers(arguments).data(), pointers(environment).data());
  if (error != 0) throw std::runtime_error("cannot start " + command[0]);
  return id;
}

int status_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? -WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

int wait_for(pid_t id) {
  int status = 0;
  while (waitpid(id, &status, 0) != id) {
  }
  return status_of(status);
}

struct Pipe {
  int ends[2];
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_end(int which) {
    if (ends[which] >= 0) close(ends[which]);
    ends[which] = -1;
  }
};

/// Reads what is there. \returns false at the end.
bool read_some(int file, std::string& text) {
  char buffer[65536];
  const ssize_t bytes = read(file, buffer, sizeof buffer);
  if (bytes > 0) text.append(buffer, static_cast<size_t>(bytes));
  return bytes > 0;
}

}  // namespace

std::optional<std::string> find_program(const std::string& name) {
  std::stringstream path(getenv("PATH") == nullptr ? "/usr/bin:/bin" : getenv("PATH"));
  for (std::string directory; std::getline(path, directory, ':');) {
    if (access((directory + "/" + name).c_str(), X_OK) == 0) return directory + "/" + name;
  }
  return std::nullopt;
}

Finished run(const Command& command, const Variables& variables, const std::string& input) {
  TemporaryDirectory directory;
  write_file(directory / "input", input);
  Pipe out, err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, (directory / "input").c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], 2);
  const pid_t id = spawn(command, variables, &actions);
  posix_spawn_file_actions_destroy(&actions);
  out.close_end(1);
  err.close_end(1);

  Finished finished;
  const auto deadline = Clock::now() + kMostRunTime;
  bool out_open = true, err_open = true;
  while (out_open || err_open) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waits[2] = {{out_open ? out.ends[0] : -1, POLLIN, 0},
                       {err_open ? err.ends[0] : -1, POLLIN, 0}};
    if (left <= 0 || poll(waits, 2, static_cast<int>(left)) <= 0) {
      kill(id, SIGKILL);
      break;
    }
    if (waits[0].revents != 0) out_open = read_some(out.ends[0], finished.out);
    if (waits[1].revents != 0) err_open = read_some(err.ends[0], finished.err);
  }
  finished.status = wait_for(id);
  return finished;
}

ChildProcess::ChildProcess(const Command& command, const Variables& variables,
                           const std::string& log)
    : log_(log) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  id_ = spawn(command, variables, &actions);
  posix_spawn_file_actions_destroy(&actions);
}

ChildProcess::~ChildProcess() {
  if (!is_running()) return;
  kill(id_, SIGKILL);
  wait_for(id_);
}

bool ChildProcess::is_running() {
  int status = 0;
  if (id_ >= 0 && waitpid(id_, &status, WNOHANG) == id_) {
    status_ = status_of(status);
    id_ = -1;
  }
  return id_ >= 0;
}

int ChildProcess::stop() {
  if (is_running()) kill(id_, SIGTERM);
  if (!wait_until([this] { return !is_running(); })) {
    kill(id_, SIGKILL);
    status_ = wait_for(id_);
    id_ = -1;
  }
  return status_;
}

std::string ChildProcess::log() const { return read_file(log_); }

bool wait_until(const std::function<bool()>& happened) {
  for (const auto deadline = Clock::now() + kMostWait; !happened();) {
    if (Clock::now() > deadline) return false;
    poll(nullptr, 0, 10);  // another process' doing: there is nothing here to wait on
  }
  return true;
}

TemporaryDirectory::TemporaryDirectory() {
  std::string path = (std::filesystem::temp_directory_path() / "numaheap-test-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary directory");
  path_ = path;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

double number_after(const std::string& text, const std::string& name) {
  std::stringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":")) return strtod(line.c_str() + name.size() + 1, nullptr);
  }
  return -1;
}

}  // namespace numaheap::tests

#include "own_process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace numaheap::tests {

namespace {

constexpr char kVariable[] = "NUMAHEAP_TEST_BODY";

OwnProcessBody* g_bodies = nullptr;

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(n));
  return text;
}

}  // namespace

OwnProcessBody::OwnProcessBody(const char* name, void (*body)())
    : name_(name), run_(body), next_(g_bodies) {
  g_bodies = this;
}

const OwnProcessBody* OwnProcessBody::find(const std::string& name) {
  const OwnProcessBody* body = g_bodies;
  while (body != nullptr && name != body->name_) body = body->next_;
  return body;
}

OwnProcess run_in_own_process(const char* body, const OwnProcessOptions& options) {
  std::vector<std::string> environment = options.environment;
  environment.push_back(std::string(kVariable) + "=" + body);
  for (char** inherited = environ; *inherited != nullptr; ++inherited)
    environment.push_back(*inherited);
  std::vector<char*> pointers;
  for (std::string& variable : environment)
    pointers.push_back(variable.data());  // the first of a name counts
  pointers.push_back(nullptr);

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {-1000, "no pipe"};
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    alarm(options.seconds);
    if (options.prepare) options.prepare();
    char path[] = "/proc/self/exe";
    char* arguments[] = {path, nullptr};
    execve(path, arguments, pointers.data());
    _exit(126);
  }
  close(ends[1]);
  OwnProcess result{-1000, read_all(ends[0])};
  close(ends[0]);
  int status = 0;
  if (waitpid(child, &status, 0) == child)
    result.status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

}  // namespace numaheap::tests

int main(int argc, char** argv) {
  using namespace numaheap::tests;
  if (const char* name = getenv(kVariable); name != nullptr) {
    const OwnProcessBody* body = OwnProcessBody::find(name);
    if (body == nullptr) return 125;
    body->run();
    fflush(nullptr);
    _exit(0);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

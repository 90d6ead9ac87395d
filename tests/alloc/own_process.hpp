/// \file
/// Bodies of tests that need a process of their own: another environment, limits and filters that cannot be taken back,
/// a heap that nobody used before. The test program is executed anew and runs the body instead of its tests.
///
///   NH_OWN_PROCESS(DropsIt) { NH_CHILD_EXPECT(...); }
///   TEST(Misuse, IsDropped) { EXPECT_EQ(run_in_own_process("DropsIt").status, 0); }
///
/// The program's sources name own_process.cpp, which has its main().

#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "numa/child_process.hpp"  // NH_CHILD_EXPECT

namespace numaheap::tests {

struct OwnProcessOptions {
  std::vector<std::string> environment;  ///< "NAME=value", beside what this process has.
  std::function<void()>
      prepare;  ///< Runs in the forked child before it is executed anew: limits, filters.
  unsigned seconds = 120;  ///< Ended by SIGALRM after these.
};

struct OwnProcess {
  int status;          ///< Exit status, or minus the signal that ended it.
  std::string output;  ///< What it printed, stderr included.
};

/// \pre there is a body of that name in this program.
OwnProcess run_in_own_process(const char* body, const OwnProcessOptions& options = {});

class OwnProcessBody {
 public:
  OwnProcessBody(const char* name, void (*body)());
  /// nullptr: there is none of that name.
  static const OwnProcessBody* find(const std::string& name);
  void run() const { run_(); }

 private:
  const char* name_;
  void (*run_)();
  OwnProcessBody* next_;
};

}  // namespace numaheap::tests

#define NH_OWN_PROCESS(name)                                                                 \
  static void own_process_##name();                                                          \
  static const numaheap::tests::OwnProcessBody registered_##name(#name, own_process_##name); \
  static void own_process_##name()

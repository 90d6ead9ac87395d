// The points that perf, bpftrace and gdb can watch: that they are in the objects, and fire.
#include <gtest/gtest.h>

#include <string>

#include "child_process.hpp"
#include "skip.hpp"

namespace numaheap::tests {
namespace {

constexpr const char* kProbes[] = {"refill", "flush", "remote_free", "spill",
                                   "grow",   "purge", "reclaim"};

TEST(Probes, AreNotedInEveryObject) {
  for (const std::string object : {PROBED_OBJECTS}) {
    const Finished notes = run({"readelf", "-n", object});
    ASSERT_EQ(notes.status, 0) << notes.err;
    for (const std::string probe : kProbes)
      EXPECT_NE(notes.out.find("Name: " + probe + "\n"), std::string::npos)
          << probe << " in " << object;
    EXPECT_NE(notes.out.find("Provider: numaheap\n"), std::string::npos) << object;
  }
}

TEST(Probes, FireWithTheirArguments) {
  if (!find_program("gdb")) NH_SKIP("gdb(1) is not installed");
  const Finished gdb =
      run({"gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-ex",
           "break -probe-stap numaheap:refill if $_probe_arg1 == 112", "-ex", "run", "-ex",
           "printf \"arguments %d: %d blocks\\n\", (int)$_probe_argc, (int)$_probe_arg2", "-ex",
           "kill", PROBED_PROGRAM});
  if (gdb.out.find("arguments ") == std::string::npos &&
      gdb.err.find("ptrace") != std::string::npos)
    NH_SKIP("gdb may not trace here");
  EXPECT_GE(number_after(gdb.out, "arguments 3"), 1) << gdb.out << gdb.err;
}

}  // namespace
}  // namespace numaheap::tests

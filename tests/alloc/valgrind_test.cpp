// Memcheck sees the blocks of the heap: what a program does wrong with them, and nothing where it does nothing wrong.
#include <gtest/gtest.h>

#include "numa/sanitizer.hpp"
#include "skip.hpp"
#include "tools/child_process.hpp"

#if !__has_include(<valgrind/memcheck.h>)
#define NH_BUILT_WITHOUT_VALGRIND 1
#endif

namespace numaheap {
namespace {

constexpr int kFound = 99;

class Memcheck : public testing::Test {
 protected:
  void SetUp() override {
    if (NH_SANITIZED) NH_SKIP("valgrind cannot run a program that a sanitizer is in");
#ifdef NH_BUILT_WITHOUT_VALGRIND
    NH_SKIP("built without valgrind's headers: the heap tells it nothing");
#endif
    if (!tests::find_program("valgrind")) NH_SKIP("valgrind is not installed");
  }

  static tests::Finished run(const char* what) {
    return tests::run({"valgrind", "--error-exitcode=" + std::to_string(kFound),
                       "--leak-check=full", "--errors-for-leak-kinds=definite", VALGRIND_PROGRAM,
                       what});
  }
};

TEST_F(Memcheck, FindsNothingInAProgramWithoutMistakes) {
  const tests::Finished finished = run("no_mistake");
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(finished.out, "5000 zeros\n");
  EXPECT_NE(finished.err.find("ERROR SUMMARY: 0 errors"), std::string::npos) << finished.err;
}

TEST_F(Memcheck, FindsAUseAfterFree) {
  for (const char* what : {"use_after_free", "use_after_free_of_a_large_one"}) {
    const tests::Finished finished = run(what);
    EXPECT_EQ(finished.status, kFound) << finished.err;
    EXPECT_NE(finished.err.find("Invalid read of size 1"), std::string::npos) << finished.err;
    EXPECT_NE(finished.err.find("free'd"), std::string::npos) << finished.err;
    EXPECT_NE(finished.err.find("ERROR SUMMARY: 1 errors"), std::string::npos) << finished.err;
  }
}

TEST_F(Memcheck, FindsALeak) {
  const tests::Finished finished = run("leak");
  EXPECT_EQ(finished.status, kFound) << finished.err;
  EXPECT_NE(finished.err.find("30,720 bytes in 10 blocks are definitely lost"), std::string::npos)
      << finished.err;
  EXPECT_NE(finished.err.find("5,242,880 bytes in 1 blocks are definitely lost"), std::string::npos)
      << finished.err;
}

TEST_F(Memcheck, FindsAUseOfWhatWasNeverSet) {
  const tests::Finished finished = run("use_what_was_never_set");
  EXPECT_EQ(finished.status, kFound) << finished.err;
  EXPECT_NE(finished.err.find("depends on uninitialised value"), std::string::npos) << finished.err;
}

}  // namespace
}  // namespace numaheap

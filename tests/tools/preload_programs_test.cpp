/// \file
/// Programs that know nothing of the heap do under the preload object what they do without it.

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "child_process.hpp"
#include "skip.hpp"

namespace numaheap::tests {
namespace {

const Variables kPreloaded = {{"LD_PRELOAD", PRELOAD_OBJECT}};

/// C source that keeps a compiler busy for some seconds: functions, tables and a large switch.
std::string large_source() {
  std::string text = "extern int use(int);\n";
  for (int i = 0; i < 200; ++i) {
    const std::string n = std::to_string(i);
    text += "static const int table" + n + "[] = {" + n + ", " + n + "+1, " + n + "*2};\n";
    text += "int f" + n +
            "(int x) {\n  int sum = 0;\n  for (int i = 0; i < x; ++i)\n    switch (i % 7) {\n";
    for (int k = 0; k < 7; ++k) {
      text += "      case " + std::to_string(k) + ": sum += table" + n + "[i % 3] * " +
              std::to_string(k * i) + " + use(sum); break;\n";
    }
    text += "    }\n  return sum;\n}\n";
  }
  return text;
}

TEST(PreloadPrograms, GccCompilesALargeFileToTheSameObject) {
  const auto gcc = find_program("gcc");
  if (!gcc) NH_SKIP("gcc is not installed");
  TemporaryDirectory directory;
  write_file(directory / "large.c", large_source());
  std::string objects[2];
  for (const bool preloaded : {false, true}) {
    const Finished finished =
        run({*gcc, "-O1", "-c", directory / "large.c", "-o", directory / "large.o"},
            preloaded ? kPreloaded : Variables{});
    ASSERT_EQ(finished.status, 0) << finished.err;
    EXPECT_EQ(finished.err, "");
    objects[preloaded ? 1 : 0] = read_file(directory / "large.o");
  }
  EXPECT_GT(objects[0].size(), size_t{50000});
  EXPECT_TRUE(objects[0] == objects[1]);
}

constexpr char kScript[] = R"(
import collections, json, random, re, threading
random.seed(5)
words = [''.join(random.choices('abcdefghij', k=random.randrange(1, 40))) for _ in range(60000)]
count = collections.Counter(words)
tree = {w[:3]: sorted(x for x in words[i:i + 30]) for i, w in enumerate(words)}
text = json.dumps(tree)
assert json.loads(text) == tree
results = []
def work(seed):
    rng = random.Random(seed)
    rows = [bytes(rng.randrange(1, 5000)) for _ in range(3000)]
    rng.shuffle(rows)
    results.append(sum(map(len, rows)))
threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
[t.start() for t in threads]
[t.join() for t in threads]
print(len(count), len(text), len(re.findall('abc', text)), sorted(results))
)";

TEST(PreloadPrograms, PythonPrintsTheSameFromAllocationHeavyThreads) {
  const auto python = find_program("python3");
  if (!python) NH_SKIP("python3 is not installed");
  std::string printed[2];
  for (const bool preloaded : {false, true}) {
    Variables variables = preloaded ? kPreloaded : Variables{};
    variables["PYTHONHASHSEED"] = "0";
    variables["PYTHONMALLOC"] = "malloc";  // each object by malloc, none by Python's own allocator
    const Finished finished = run({*python, "-c", kScript}, variables);
    ASSERT_EQ(finished.status, 0) << finished.err;
    EXPECT_EQ(finished.err, "");
    printed[preloaded ? 1 : 0] = finished.out;
  }
  EXPECT_EQ(printed[0], printed[1]);
  EXPECT_NE(printed[0], "");
}

TEST(PreloadPrograms, ShellPipelinesWork) {
  const Finished finished = run({"sh", "-c", "seq 100000 | sort -rn | sed -n 5p"}, kPreloaded);
  EXPECT_EQ(finished.status, 0);
  EXPECT_EQ(finished.out, "99996\n");
  EXPECT_EQ(finished.err, "");
}

TEST(PreloadPrograms, FindNothingInTheObjectButTheNamesThatItIsFor) {
  const auto nm = find_program("nm");
  if (!nm) NH_SKIP("nm is not installed");
  const Finished finished = run({*nm, "-D", "--defined-only", "--format=posix", PRELOAD_OBJECT});
  ASSERT_EQ(finished.status, 0) << finished.err;
  const std::string wanted = read_file(PRELOAD_EXPORTS);
  std::stringstream lines(finished.out);
  int operators = 0, others = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(0, line.find(' '));
    if (name.starts_with("_Zn") || name.starts_with("_Zd")) {
      ++operators;  // operator new or delete
    } else {
      ++others;
      EXPECT_NE(wanted.find(" " + name + ";"), std::string::npos) << name;
    }
  }
  EXPECT_EQ(operators, 20);
  // Of the map's semicolons three end no name: those of the two blocks and of "local: *".
  EXPECT_EQ(operators + others, std::count(wanted.begin(), wanted.end(), ';') - 3);
}

TEST(PreloadPrograms, NeedNoCppRuntime) {
  // The object brings none along: a C program that is preloaded maps no libstdc++.
  const Finished finished = run({"cat", "/proc/self/maps"}, kPreloaded);
  EXPECT_NE(finished.out.find("libnumaheap_preload.so"), std::string::npos);
  EXPECT_EQ(finished.out.find("libstdc++"), std::string::npos);
}

}  // namespace
}  // namespace numaheap::tests

#include "numaheap/stats/kernel_facts.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace numaheap::stats {
namespace {

constexpr int64_t kNone = KernelFacts::kNotAvailable;
using HugePages = KernelFacts::HugePages;

/// A folder with proc/ and sys/ as the test writes them.
class KernelFactsTest : public testing::Test {
 protected:
  KernelFactsTest() {
    root_ = std::filesystem::temp_directory_path() /
            ("numaheap_kernel_facts." + std::to_string(getpid()));
    std::filesystem::remove_all(root_);
    write("proc/sys/vm/max_map_count", "65530\n");
    write("proc/sys/kernel/numa_balancing", "1\n");
    write("sys/devices/system/node/has_memory", "0-1,4\n");
    write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    write("proc/self/status", "Name:\tredis\nVmRSS:\t 100 kB\nVmSwap:\t    12 kB\nThreads:\t4\n");
    write("proc/self/smaps_rollup",
          "5589 ---p 00000000 00:00 0 [rollup]\nRss: 10 kB\nAnonHugePages:      4096 kB\n");
    write("proc/self/maps", "a\nb\nc\n");
  }
  ~KernelFactsTest() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void remove(const std::string& path) const { std::filesystem::remove_all(root_ / path); }
  [[nodiscard]] KernelFacts read(FactsEffort effort = FactsEffort::kAll, unsigned pid = 0) const {
    return read_kernel_facts(effort, pid, root_.c_str());
  }

  std::filesystem::path root_;
};

TEST_F(KernelFactsTest, AreReadFromTheKernelsFiles) {
  const KernelFacts facts = read();
  EXPECT_EQ(facts.most_maps, 65530);
  EXPECT_EQ(facts.maps, 3);
  EXPECT_EQ(facts.numa_balancing, 1);
  EXPECT_EQ(facts.memory_nodes, 3);
  EXPECT_EQ(facts.swapped_bytes, 12 * 1024);
  EXPECT_EQ(facts.huge_bytes, 4096 * 1024);
  EXPECT_EQ(facts.huge_pages, HugePages::kMadvise);
}

TEST_F(KernelFactsTest, LeaveOutWhatIsDearUnlessAsked) {
  const KernelFacts facts = read(FactsEffort::kCheap);
  EXPECT_EQ(facts.maps, kNone);
  EXPECT_EQ(facts.huge_bytes, kNone);
  EXPECT_EQ(facts.most_maps, 65530);
}

TEST_F(KernelFactsTest, AreThoseOfTheProcessThatIsAskedAbout) {
  write("proc/77/status", "VmSwap:\t1 kB\n");
  write("proc/77/maps", "a\n");
  const KernelFacts facts = read(FactsEffort::kAll, 77);
  EXPECT_EQ(facts.swapped_bytes, 1024);
  EXPECT_EQ(facts.maps, 1);
  EXPECT_EQ(facts.huge_bytes, kNone);
}

TEST_F(KernelFactsTest, AreNotAvailableWhereTheFilesAreNotThere) {
  remove("proc");
  remove("sys");
  const KernelFacts facts = read();
  for (const int64_t fact : {facts.most_maps, facts.maps, facts.numa_balancing, facts.memory_nodes,
                             facts.swapped_bytes, facts.huge_bytes}) {
    EXPECT_EQ(fact, kNone);
  }
  EXPECT_EQ(facts.huge_pages, HugePages::kNotAvailable);
}

TEST_F(KernelFactsTest, AreNotAvailableWhereTheFilesLie) {
  for (const char* text :
       {"", "\n", "many\n", "-1\n", "1 2\n", "99999999999999999999\n", "0x10\n"}) {
    write("proc/sys/vm/max_map_count", text);
    EXPECT_EQ(read().most_maps, kNone) << text;
  }
  for (const char* text : {"", "x", "1-0", "0,", "0-", "-3", "0-99999999999", "0--1"}) {
    write("sys/devices/system/node/has_memory", text);
    EXPECT_EQ(read().memory_nodes, text == std::string("0,") ? 1 : kNone) << text;
  }
  for (const char* text :
       {"", "VmSwap:", "VmSwap:\t12\n", "VmSwap:\t12 MB\n", "XVmSwap:\t12 kB\n",
        "VmSwapped:\t12 kB\n", "VmSwap:\t-1 kB\n", "VmSwap:\t9223372036854775807 kB\n"}) {
    write("proc/self/status", text);
    EXPECT_EQ(read().swapped_bytes, kNone) << text;
  }
  for (const char* text : {"", "always madvise never", "[", "[sometimes]", "always ]never["}) {
    write("sys/kernel/mm/transparent_hugepage/enabled", text);
    EXPECT_EQ(read().huge_pages, HugePages::kNotAvailable) << text;
  }
  write("proc/self/maps", "");
  EXPECT_EQ(read().maps, kNone);
  remove("proc/sys/vm/max_map_count");
  write("proc/sys/vm/max_map_count/is_a_folder", "");
  EXPECT_EQ(read().most_maps, kNone);
}

TEST_F(KernelFactsTest, CountMappingsBeyondOneBuffer) {
  std::string maps;
  for (int i = 0; i < 5000; ++i) maps += "7f0000000000-7f0000001000 rw-p 00000000 00:00 0\n";
  write("proc/self/maps", maps);
  EXPECT_EQ(read().maps, 5000);
}

TEST_F(KernelFactsTest, OfThisSystemHaveMappings) {
  const KernelFacts facts = read_kernel_facts(FactsEffort::kAll);
  EXPECT_GT(facts.maps, 10);
  EXPECT_GT(facts.most_maps, 0);
}

}  // namespace
}  // namespace numaheap::stats

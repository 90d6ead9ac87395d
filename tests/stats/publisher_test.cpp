// What a process publishes is what another reads; and a reader survives whatever it is given.
#include "numaheap/stats/publisher.hpp"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <random>
#include <thread>
#include <vector>

#include "numaheap/stats/process_view.hpp"
#include "stats/segment_layout.hpp"

namespace numaheap::stats {
namespace {

using std::chrono::nanoseconds;

std::atomic<int64_t> g_value{7};

constinit Metric g_held{.name = "test_held_bytes",
                        .help = "Held.",
                        .unit = Unit::kBytes,
                        .source = Source::kKernel,
                        .label_keys = {"node", "kind"},
                        .read = [](void*, Emitter& out) noexcept {
                          const int64_t value = g_value.load(std::memory_order_relaxed);
                          out.emit(value, {NodeId{1}, "first"}, std::chrono::milliseconds(3));
                          out.emit(-value, {NodeId{2}, "second"});
                        }};
constinit Metric g_missing{.name = "test_missing",
                           .help = "Missing.",
                           .read = [](void*, Emitter&) noexcept {},
                           .why = [](void*) noexcept { return "it was never there"; }};

class PublisherTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    register_metric(g_held);
    register_metric(g_missing);
  }
  void SetUp() override {
    ASSERT_TRUE(publisher_.open());
    publisher_.publish(Detail::kPerThread, Freshness::kRefresh);
  }
  void TearDown() override { publisher_.close(); }

  Publisher publisher_;
};

/// The bytes that a reader would copy.
std::vector<char> segment_of(int pid) {
  DIR* files = opendir(("/proc/" + std::to_string(pid) + "/fd").c_str());
  std::vector<char> bytes;
  while (const dirent* entry = readdir(files)) {
    const std::string path = "/proc/" + std::to_string(pid) + "/fd/" + entry->d_name;
    char target[64] = {};
    if (readlink(path.c_str(), target, sizeof target - 1) <= 0 ||
        std::strcmp(target, "/memfd:numaheap (deleted)") != 0)
      continue;
    std::ifstream in(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  closedir(files);
  return bytes;
}

nanoseconds now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return std::chrono::seconds(t.tv_sec) + nanoseconds(t.tv_nsec);
}

TEST_F(PublisherTest, AReaderSeesNamesLabelsValuesAgesAndWhatIsMissing) {
  Result<ProcessView> view = ProcessView::open(getpid());
  ASSERT_TRUE(view) << view.error().text;
  const auto read = view->read();
  ASSERT_TRUE(read) << read.error().text;
  const Snapshot& snapshot = (*read.value()).snapshot();
  const Sample* first = snapshot.find("test_held_bytes", {NodeId{1}, "first"});
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->value, 7);
  EXPECT_EQ(first->age, std::chrono::milliseconds(3));
  EXPECT_EQ(first->metric->unit, Unit::kBytes);
  EXPECT_EQ(first->metric->source, Source::kKernel);
  EXPECT_STREQ(first->metric->help, "Held.");
  EXPECT_STREQ(first->metric->label_keys[1], "kind");
  EXPECT_NE(first->metric, &g_held);  // it is a copy
  EXPECT_EQ(snapshot.find("test_held_bytes", {NodeId{2}, "second"})->value, -7);
  ASSERT_EQ(snapshot.absent.size(), 1u);
  EXPECT_STREQ(snapshot.absent[0].metric->name, "test_missing");
  EXPECT_STREQ(snapshot.absent[0].why, "it was never there");
  EXPECT_LT((*read.value()).age(), std::chrono::seconds(60));
}

TEST_F(PublisherTest, TheNextSnapshotTakesTheLastOnesPlace) {
  Result<ProcessView> view = ProcessView::open(getpid());
  ASSERT_TRUE(view);
  g_value = 11;
  publisher_.publish(Detail::kPerThread, Freshness::kRefresh);
  int64_t sum = -1;
  EXPECT_TRUE((*view->read().value()).snapshot().sum("test_held_bytes", sum));
  EXPECT_EQ(sum, 0);
  EXPECT_EQ((*view->read().value()).snapshot().find("test_held_bytes", {NodeId{1}, "first"})->value,
            11);
  g_value = 7;
}

TEST_F(PublisherTest, ASnapshotIsNeverSeenHalf) {
  Result<ProcessView> view = ProcessView::open(getpid());
  ASSERT_TRUE(view);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int64_t i = 0; !stop.load(); ++i) {
      g_value = i;
      publisher_.publish(Detail::kPerThread, Freshness::kRefresh);
    }
  });
  for (int i = 0; i < 200; ++i) {
    const auto read = view->read();
    if (!read) continue;  // the writer never rested while the reader tried
    int64_t sum = -1;
    EXPECT_TRUE((*read.value()).snapshot().sum("test_held_bytes", sum));
    EXPECT_EQ(sum, 0);
  }
  stop = true;
  writer.join();
  g_value = 7;
}

TEST_F(PublisherTest, AProgramThatClosedAllItsFilesIsReadThroughItsMemory) {
  for (int file = 50; file < 200; ++file) close(file);
  Result<ProcessView> view = ProcessView::open(getpid());
  ASSERT_TRUE(view) << view.error().text;
  const auto read = view->read();
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_NE((*read.value()).snapshot().find("test_held_bytes", {NodeId{1}, "first"}), nullptr);
}

TEST_F(PublisherTest, AForkedChildDoesNotShowItsParentsFigures) {
  int ready[2];
  int done[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(done), 0);
  const pid_t child = fork();
  if (child == 0) {
    publisher_.after_fork_in_child();
    char byte = 0;
    if (write(ready[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  const Result<ProcessView> view = ProcessView::open(child);
  EXPECT_FALSE(view);
  EXPECT_TRUE(view || view.error().code == ErrorCode::kNotFound);
  ASSERT_EQ(write(done[1], &byte, 1), 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  for (int file : {ready[0], ready[1], done[0], done[1]}) close(file);
}

TEST_F(PublisherTest, ASegmentThatIsCutShortIsRefusedAtEveryLength) {
  const std::vector<char> whole = segment_of(getpid());
  ASSERT_EQ(whole.size(), kSegmentBytes);
  SegmentHeader header;
  std::memcpy(static_cast<void*>(&header), whole.data(), sizeof header);
  const size_t used = header.texts_at + header.text_bytes;
  ASSERT_TRUE(read_segment({whole.data(), used}, now()));
  for (size_t length = 0; length < used; ++length) {
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
    ASSERT_FALSE(read_segment(cut, now())) << length;
  }
}

TEST_F(PublisherTest, AnotherVersionsSegmentIsRefusedByName) {
  std::vector<char> other = segment_of(getpid());
  ++other[offsetof(SegmentHeader, layout)];
  const auto read = read_segment(other, now());
  ASSERT_FALSE(read);
  EXPECT_NE(std::strstr(read.error().text, "another version"), nullptr) << read.error().text;
}

TEST_F(PublisherTest, BytesThatLieAreRefusedOrReadWithoutHarm) {
  const std::vector<char> whole = segment_of(getpid());
  SegmentHeader header;
  std::memcpy(static_cast<void*>(&header), whole.data(), sizeof header);
  const size_t used = header.texts_at + header.text_bytes;
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::vector<char> wrong(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(used));
    for (int k = 0; k < 3; ++k) wrong[random() % used] = static_cast<char>(random());
    const auto read = read_segment(wrong, now());
    if (!read) continue;
    size_t length = 0;  // every text has an end
    for (const Sample& sample : (*read.value()).snapshot().samples)
      length += std::strlen(sample.metric->name) + std::strlen(sample.metric->help);
    EXPECT_LT(length, size_t{1} << 30);
  }
}

TEST(ProcessView, SaysWhyAProcessCannotBeSeen) {
  Result<ProcessView> none = ProcessView::open(0x3fffff);
  ASSERT_FALSE(none);
  EXPECT_STREQ(none.error().text, "there is no such process");
  const pid_t ended = fork();
  if (ended == 0) _exit(0);
  waitpid(ended, nullptr, 0);
  Result<ProcessView> dead = ProcessView::open(ended);
  ASSERT_FALSE(dead);
  EXPECT_STREQ(dead.error().text, "there is no such process");
  Result<ProcessView> silent = ProcessView::open(1);
  ASSERT_FALSE(silent);
  EXPECT_TRUE(silent.error().code == ErrorCode::kNotFound ||
              silent.error().code == ErrorCode::kNotPermitted);
}

TEST(ProcessView, SaysThatTheProcessEndedWhileItWasWatched) {
  int ready[2];
  int done[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(done), 0);
  const pid_t child = fork();
  if (child == 0) {
    Publisher publisher;
    char byte = 0;
    if (!publisher.open()) _exit(1);
    publisher.publish(Detail::kPerThread, Freshness::kRefresh);
    if (write(ready[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  Result<ProcessView> view = ProcessView::open(child);
  ASSERT_TRUE(view) << view.error().text;
  EXPECT_TRUE(view->read());
  ASSERT_EQ(write(done[1], &byte, 1), 1);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  const auto read = view->read();
  ASSERT_FALSE(read);
  EXPECT_STREQ(read.error().text, "the process has ended");
  for (int file : {ready[0], ready[1], done[0], done[1]}) close(file);
}

TEST(ProcessView, FindsProcessesByName) {
  std::string comm;
  std::getline(std::ifstream("/proc/self/comm"), comm);
  const std::vector<int> found = find_processes(comm);
  EXPECT_NE(std::find(found.begin(), found.end(), getpid()), found.end());
  EXPECT_TRUE(find_processes("no such process").empty());
}

}  // namespace
}  // namespace numaheap::stats

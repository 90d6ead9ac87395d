/// \file
/// Debian's redis-server and memcached, unmodified, under the preload object. Each test starts and ends its own server
/// on a unix socket in a directory of its own.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstring>

#include "child_process.hpp"
#include "skip.hpp"

namespace numaheap::tests {
namespace {

const Variables kPreloaded = {{"LD_PRELOAD", PRELOAD_OBJECT}};

class RedisServer : public testing::Test {
 protected:
  void SetUp() override {
    const auto server = find_program("redis-server");
    const auto client = find_program("redis-cli");
    if (!server || !client || !find_program("redis-benchmark")) {
      NH_SKIP("redis-server, redis-cli and redis-benchmark are not all installed");
    }
    client_ = *client;
    server_.emplace(Command{*server, "--port", "0", "--unixsocket", socket_, "--save", "",
                            "--appendonly", "no", "--dir", directory_.path()},
                    kPreloaded, directory_ / "log");
    ASSERT_TRUE(wait_until([this] { return !server_->is_running() || cli({"PING"}) == "PONG\n"; }));
    ASSERT_TRUE(server_->is_running()) << server_->log();
  }

  void TearDown() override {
    if (!server_) return;
    EXPECT_EQ(server_->stop(), 0) << server_->log();
    EXPECT_EQ(server_->log().find("numaheap: misuse"), std::string::npos) << server_->log();
  }

  std::string cli(Command command) {
    command.insert(command.begin(), {client_, "-s", socket_});
    std::string out = run(command).out;
    std::erase(out, '\r');
    return out;
  }

  void fill(const std::string& tests) {
    const Finished finished = run({"redis-benchmark", "-s", socket_, "-q", "-n", "50000", "-r",
                                   "50000", "-d", "200", "-P", "16", "-t", tests});
    ASSERT_EQ(finished.status, 0) << finished.out << finished.err;
  }

  TemporaryDirectory directory_;
  const std::string socket_ = directory_ / "redis.sock";
  std::string client_;
  std::optional<ChildProcess> server_;
};

TEST_F(RedisServer, ReportsTheHeapThatItRunsOn) {
  fill("set,lpush,hset");
  // The server samples its allocator ten times a second.
  double used = 0, allocated = 0, active = 0, resident = 0, process = 0;
  EXPECT_TRUE(wait_until([&] {
    const std::string info = cli({"INFO", "memory"});
    used = number_after(info, "used_memory");
    allocated = number_after(info, "allocator_allocated");
    active = number_after(info, "allocator_active");
    resident = number_after(info, "allocator_resident");
    process = number_after(info, "used_memory_rss");
    return allocated >= used && used > 10e6;
  })) << allocated
      << " allocated, used " << used;
  EXPECT_LT(allocated, used * 2);
  EXPECT_GE(active, allocated);
  EXPECT_GE(resident, active);
  EXPECT_LT(resident, process * 1.5);
  const std::string info = cli({"INFO", "memory"});
  EXPECT_NE(info.find("\nmem_allocator:jemalloc-"), std::string::npos)
      << info;  // what it was built for
  const double ratio = number_after(info, "allocator_rss_ratio");
  EXPECT_GE(ratio, 1.0);
  EXPECT_LT(ratio, 3.0);
}

TEST_F(RedisServer, IsSeenFromOutsideAsItSeesItself) {
  fill("set,lpush,hset");
  std::string info;
  const Command look = {NUMAHEAP_COMMAND, "info", std::to_string(server_->id())};
  const auto inside = [&] { return number_after(cli({"INFO", "memory"}), "used_memory"); };
  EXPECT_TRUE(wait_until([&] {
    info = run(look).out;
    const double used = number_after(info, "used_memory");
    return std::abs(used - inside()) < 0.02 * used &&
           number_after(info, "allocator_active") >= used;
  })) << info
      << inside();
  EXPECT_NE(info.find("mem_allocator:numaheap-"), std::string::npos) << info;
}

TEST_F(RedisServer, PurgesTheHeapThatItRunsOn) {
  const std::string status = "/proc/" + std::to_string(server_->id()) + "/status";
  const double empty = number_after(read_file(status), "VmRSS");
  fill("set,lpush");
  const double full = number_after(read_file(status), "VmRSS");
  EXPECT_EQ(cli({"FLUSHALL", "SYNC"}), "OK\n");
  EXPECT_EQ(cli({"MEMORY", "PURGE"}), "OK\n");
  const double purged = number_after(read_file(status), "VmRSS");
  EXPECT_LT(purged - empty, (full - empty) / 4) << full << " kB full, " << purged << " kB purged";
}

TEST_F(RedisServer, PrintsItsAllocatorsStatistics) {
  const std::string text = cli({"MEMORY", "MALLOC-STATS"});
  EXPECT_NE(text.find("Begin numaheap statistics"), std::string::npos) << text;
  EXPECT_NE(text.find("node 0 "), std::string::npos) << text;
  EXPECT_EQ(cli({"MEMORY", "DOCTOR"}).find("ERR"), std::string::npos);
}

TEST_F(RedisServer, SavesFromAForkedChildWhileItIsWrittenTo) {
  fill("set,hset,sadd,zadd");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cli({"BGSAVE"}), "Background saving started\n");
    fill("set,lpush");
    EXPECT_TRUE(wait_until([&] {
      return number_after(cli({"INFO", "persistence"}), "rdb_bgsave_in_progress") == 0;
    }));
    EXPECT_NE(cli({"INFO", "persistence"}).find("rdb_last_bgsave_status:ok"), std::string::npos)
        << server_->log();
  }
  const std::string before = cli({"DBSIZE"});
  EXPECT_EQ(cli({"DEBUG", "RELOAD"}).find("OK"),
            std::string::npos);  // refused by default: the file is read by a tool
  if (const auto check = find_program("redis-check-rdb")) {
    const Finished finished = run({*check, directory_ / "dump.rdb"});
    EXPECT_EQ(finished.status, 0) << finished.out;
    EXPECT_NE(finished.out.find("RDB looks OK"), std::string::npos) << finished.out;
  }
}

TEST_F(RedisServer, FreesInItsBackgroundThread) {
  fill("lpush,sadd");
  EXPECT_EQ(cli({"FLUSHALL", "ASYNC"}), "OK\n");
  EXPECT_TRUE(wait_until([&] {
    return number_after(cli({"INFO", "memory"}), "lazyfree_pending_objects") == 0;
  }));
  EXPECT_TRUE(wait_until([&] {
    return number_after(cli({"INFO", "memory"}), "used_memory") < 5e6;
  }));
}

/// A connection that speaks memcached's text protocol.
class MemcachedClient {
 public:
  ~MemcachedClient() {
    if (socket_ >= 0) close(socket_);
  }
  bool connect_to(const std::string& path) {
    if (socket_ >= 0) close(socket_);
    socket_ = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    const timeval most{20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    return connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  void send_text(const std::string& text) {
    size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t now = send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (now <= 0) return;
      sent += static_cast<size_t>(now);
    }
  }
  /// What the server says up to and with `last`; less if it stops talking.
  std::string read_to(const std::string& last) {
    std::string text;
    char byte_buffer[4096];
    while (!text.ends_with(last)) {
      const ssize_t now = recv(socket_, byte_buffer, sizeof byte_buffer, 0);
      if (now <= 0) break;
      text.append(byte_buffer, static_cast<size_t>(now));
    }
    return text;
  }

 private:
  int socket_ = -1;
};

class MemcachedServer : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const auto server = find_program("memcached");
    if (!server) NH_SKIP("memcached is not installed");
    locks_ = std::string(GetParam()) == "-k";
    if (locks_ && mlockall(MCL_CURRENT) != 0)
      NH_SKIP("this process may not lock its memory (RLIMIT_MEMLOCK)");
    munlockall();
    Command command = {*server, "-t", "4", "-s", socket_, "-m", "256", "-I", "2m"};
    if (geteuid() == 0) command.insert(command.end(), {"-u", "root"});
    if (locks_) command.emplace_back("-k");
    server_.emplace(command, kPreloaded, directory_ / "log");
    ASSERT_TRUE(
        wait_until([this] { return !server_->is_running() || client_.connect_to(socket_); }));
    ASSERT_TRUE(server_->is_running()) << server_->log();
  }

  static std::string value(int item) {
    return std::string(
        static_cast<size_t>(item * 37 % 3000 + item % 97 * (item % 50 == 0 ? 10000 : 1) + 1),
        static_cast<char>('a' + item % 26));
  }

  double status(const std::string& name) {
    return number_after(read_file("/proc/" + std::to_string(server_->id()) + "/status"), name);
  }

  TemporaryDirectory directory_;
  const std::string socket_ = directory_ / "memcached.sock";
  bool locks_ = false;
  std::optional<ChildProcess> server_;
  MemcachedClient client_;
};

TEST_P(MemcachedServer, GivesBackWhatItWasGiven) {
  constexpr int kItems = 10000;
  for (int item = 0; item < kItems; ++item) {
    const std::string data = value(item);
    client_.send_text("set key" + std::to_string(item) + " 0 0 " + std::to_string(data.size()) +
                      "\r\n" + data + "\r\n");
    ASSERT_EQ(client_.read_to("\r\n"), "STORED\r\n") << item;
  }
  for (int item = 0; item < kItems; ++item) {
    client_.send_text("get key" + std::to_string(item) + "\r\n");
    const std::string answer = client_.read_to("END\r\n");
    ASSERT_NE(answer.find("\r\n" + value(item) + "\r\nEND\r\n"), std::string::npos) << item;
  }
  MemcachedClient others[20];
  for (MemcachedClient& other : others) {
    ASSERT_TRUE(other.connect_to(socket_));
    other.send_text("stats\r\n");
    EXPECT_NE(other.read_to("END\r\n").find("STAT curr_items 10000\r\n"), std::string::npos);
  }
  if (locks_) {
    EXPECT_GT(status("VmLck"), 0);
    EXPECT_LT(status("VmRSS"), 1 << 20) << "kB: locking populated what was only reserved";
  }
  EXPECT_EQ(server_->stop(), 0) << server_->log();
  EXPECT_EQ(server_->log().find("numaheap: misuse"), std::string::npos) << server_->log();
}

INSTANTIATE_TEST_SUITE_P(Memory, MemcachedServer, testing::Values("unlocked", "-k"),
                         [](const auto& kind) {
                           return std::string(kind.param) == "-k" ? "Locked" : "Unlocked";
                         });

}  // namespace
}  // namespace numaheap::tests

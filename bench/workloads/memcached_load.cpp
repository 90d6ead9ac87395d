// nh_memcached_load: sends memcached requests in the text protocol over a unix socket, pipelined, and counts replies.
//
// One thread, several connections: a batch is written to every connection, then every connection's replies are read. So
// the server always has work, and the client costs little.

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr const char* kUsage =
    "Usage: nh_memcached_load --socket PATH [--requests N] [--keys N] [--bytes N] [--pipeline N] "
    "[--connections N] set|get\n"
    "Prints one line of JSON: requests, hits, requests per second. Keys are chosen at random, the "
    "same in every run.\n"
    "  --requests N     200000     --keys N         100000    --bytes N  100 (of a value)\n"
    "  --pipeline N     16         --connections N  16\n";

struct Options {
  std::string socket;
  uint64_t requests = 200'000;
  uint64_t keys = 100'000;
  uint64_t bytes = 100;
  uint64_t pipeline = 16;
  uint64_t connections = 16;
  bool set = false;
};

[[noreturn]] void refuse(const std::string& what) {
  std::fprintf(stderr, "nh_memcached_load: %s\n%s", what.c_str(), kUsage);
  std::exit(2);
}

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "nh_memcached_load: %s\n", what.c_str());
  std::exit(1);
}

uint64_t number(std::string_view name, const char* text, uint64_t largest) {
  char* end = nullptr;
  errno = 0;
  const unsigned long long value = std::strtoull(text, &end, 10);
  if (errno != 0 || *end != 0 || *text == '-' || value == 0 || value > largest) {
    refuse(std::string(name) + " takes a number from 1 to " + std::to_string(largest) + ", not '" +
           text + "'");
  }
  return value;
}

Options parse(int argc, char** argv) {
  Options options;
  bool has_command = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--help") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    }
    if (name == "set" || name == "get") {
      options.set = name == "set";
      has_command = true;
      continue;
    }
    if (i + 1 == argc) refuse("a value is missing after, or unknown: '" + std::string(name) + "'");
    const char* value = argv[++i];
    if (name == "--socket") {
      options.socket = value;
    } else if (name == "--requests") {
      options.requests = number(name, value, 1'000'000'000);
    } else if (name == "--keys") {
      options.keys = number(name, value, 1'000'000'000);
    } else if (name == "--bytes") {
      options.bytes = number(name, value, 1'000'000);
    } else if (name == "--pipeline") {
      options.pipeline = number(name, value, 1000);
    } else if (name == "--connections") {
      options.connections = number(name, value, 500);
    } else {
      refuse("unknown option '" + std::string(name) + "'");
    }
  }
  if (options.socket.empty() || !has_command)
    refuse("--socket PATH and one of set, get are needed");
  return options;
}

int connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) fail("the socket's path is too long: '" + path + "'");
  path.copy(address.sun_path, path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail("cannot connect to '" + path + "': " + std::strerror(errno));
  }
  return fd;
}

class Connection {
 public:
  explicit Connection(const std::string& path) : fd_(connect_to(path)) {}
  Connection(Connection&& other) noexcept : fd_(other.fd_), text_(std::move(other.text_)) {
    other.fd_ = -1;
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }

  void send(const std::string& requests) {
    for (size_t sent = 0; sent < requests.size();) {
      const ssize_t n = write(fd_, requests.data() + sent, requests.size() - sent);
      if (n < 0 && errno != EINTR) fail(std::string("write failed: ") + std::strerror(errno));
      if (n > 0) sent += static_cast<size_t>(n);
    }
  }
  /// Reads `replies` replies, each ended by `last_line`, and returns how many lines started with "VALUE".
  uint64_t receive(uint64_t replies, std::string_view last_line) {
    uint64_t values = 0;
    size_t at = 0;
    while (replies > 0) {
      const size_t end = text_.find("\r\n", at);
      if (end == std::string::npos) {
        text_.erase(0, at);
        at = 0;
        read_more();
        continue;
      }
      const std::string_view line(text_.data() + at, end - at);
      if (line == last_line) --replies;
      if (line.starts_with("VALUE ")) ++values;
      if (line.starts_with("ERROR") || line.starts_with("SERVER_ERROR") ||
          line.starts_with("CLIENT_ERROR")) {
        fail("memcached answered '" + std::string(line) + "'");
      }
      at = end + 2;
    }
    text_.erase(0, at);
    return values;
  }

 private:
  void read_more() {
    char buffer[65536];
    const ssize_t n = read(fd_, buffer, sizeof buffer);
    if (n == 0) fail("memcached closed the connection");
    if (n < 0 && errno != EINTR) fail(std::string("read failed: ") + std::strerror(errno));
    if (n > 0) text_.append(buffer, static_cast<size_t>(n));
  }

  int fd_;
  std::string text_;
};

double seconds_now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  std::vector<Connection> connections;
  for (uint64_t i = 0; i < options.connections; ++i) connections.emplace_back(options.socket);
  const std::string value(options.bytes, 'v');
  const std::string set_middle = " 0 0 " + std::to_string(options.bytes) + "\r\n" + value + "\r\n";
  uint64_t random = 88172645463325252u;
  uint64_t hits = 0;
  uint64_t sent = 0;
  std::string batch;
  const double start = seconds_now();
  while (sent < options.requests) {
    for (Connection& connection : connections) {
      batch.clear();
      for (uint64_t i = 0; i < options.pipeline; ++i) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        batch.append(options.set ? "set key:" : "get key:")
            .append(std::to_string(random % options.keys));
        batch.append(options.set ? set_middle : "\r\n");
      }
      connection.send(batch);
      sent += options.pipeline;
    }
    for (Connection& connection : connections) {
      hits += connection.receive(options.pipeline, options.set ? "STORED" : "END");
    }
  }
  const double seconds = seconds_now() - start;
  std::printf(
      "{\"requests\": %llu, \"hits\": %llu, \"seconds\": %.6f, \"requests_per_second\": %.1f}\n",
      static_cast<unsigned long long>(sent), static_cast<unsigned long long>(hits), seconds,
      static_cast<double>(sent) / seconds);
}

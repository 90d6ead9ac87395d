/// \file
/// HTTP as a test needs it: one request over loopback, a whole one or any bytes.

#pragma once

#include <string>

namespace numaheap::tests {

/// A TCP connection to 127.0.0.1, closed at the end.
class Connection {
 public:
  explicit Connection(unsigned port);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void send(const std::string& bytes);
  /// All that comes until the other side closes, at most ten seconds long.
  [[nodiscard]] std::string receive();

 private:
  int socket_ = -1;
};

struct Response {
  int status = 0;  ///< 0: no answer.
  std::string head;
  std::string body;
  /// A header's value; empty if there is none.
  [[nodiscard]] std::string header(const std::string& name) const;
};

Response request(unsigned port, const std::string& path, const std::string& headers = "",
                 const std::string& method = "GET");

/// A port of 127.0.0.1 that nobody listens on just now.
unsigned free_port();

}  // namespace numaheap::tests

#include "http_client.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace numaheap::tests {

namespace {

sockaddr_in loopback(unsigned port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

Connection::Connection(unsigned port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval most{10, 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
  const sockaddr_in address = loopback(port);
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("nobody listens on port " + std::to_string(port));
}

Connection::~Connection() { close(socket_); }

void Connection::send(const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;  // the other side has had enough
    sent += static_cast<size_t>(n);
  }
}

std::string Connection::receive() {
  std::string all;
  char buffer[65536];
  for (ssize_t n; (n = recv(socket_, buffer, sizeof buffer, 0)) > 0;)
    all.append(buffer, static_cast<size_t>(n));
  return all;
}

std::string Response::header(const std::string& name) const {
  const size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const size_t from = at + name.size() + 4;
  return head.substr(from, head.find("\r\n", from) - from);
}

Response request(unsigned port, const std::string& path, const std::string& headers,
                 const std::string& method) {
  Connection connection(port);
  connection.send(method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + "\r\n");
  const std::string answer = connection.receive();
  const size_t end = answer.find("\r\n\r\n");
  if (end == std::string::npos || !answer.starts_with("HTTP/1.1 ")) return {};
  return {std::atoi(answer.c_str() + 9), answer.substr(0, end + 2), answer.substr(end + 4)};
}

unsigned free_port() {
  const int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (bind(file, reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      getsockname(file, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    throw std::runtime_error("no port is free");
  close(file);
  return ntohs(address.sin_port);
}

}  // namespace numaheap::tests

#include "http_server.hpp"

#include <arpa/inet.h>
#include <civetweb.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace numaheap::cli {

namespace {

const char* reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

int respond(mg_connection* connection, const Page& page, bool with_body) {
  // The page may fetch from here and run its own script, and nothing else.
  const std::string head = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n"
      "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
      "Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; style-src "
      "'unsafe-inline'; connect-src 'self'; img-src data:; frame-ancestors 'none'\r\n{}\r\n",
      page.status, reason(page.status), page.type, page.body.size(),
      page.status == 405 ? "Allow: GET, HEAD\r\n" : "");
  mg_write(connection, head.data(), head.size());
  if (with_body) mg_write(connection, page.body.data(), page.body.size());
  return page.status;
}

/// C calls it: nothing may be thrown out of it.
int handle(mg_connection* connection, void* server) noexcept {
  const mg_request_info* request = mg_get_request_info(connection);
  const std::string_view method = request->request_method;
  if (method != "GET" && method != "HEAD") {
    return respond(connection, {405, "text/plain", "Only GET and HEAD are answered.\n"}, true);
  }
  const char* accept = mg_get_header(connection, "Accept");
  const char* path = request->local_uri != nullptr ? request->local_uri : "";
  return respond(
      connection,
      static_cast<const HttpServer*>(server)->answer()(path, accept != nullptr ? accept : ""),
      method == "GET");
}

int keep_message(const mg_connection* /*connection*/, const char* /*text*/) {
  return 1;  // a client's half request is no news
}

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

/// Tries whether one could listen there, since civetweb tells only that it could not. \returns 0 or errno.
int try_to_listen(const SocketAddress& address, socklen_t length) {
  const int socket_file = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_file < 0) return errno;
  const int on = 1;
  setsockopt(socket_file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int error =
      bind(socket_file, &address.any, length) == 0 && listen(socket_file, 1) == 0 ? 0 : errno;
  close(socket_file);
  return error;
}

Refusal refused(const std::string& where, int error) {
  if (error == EADDRINUSE) {
    return {kFailed, fmt::format("{} is in use by another program; choose another --port, or 0 for "
                                 "a free one",
                                 where)};
  }
  if (error == EADDRNOTAVAIL)
    return {kWrongInput,
            fmt::format("cannot listen on {}: no such address is on this machine", where)};
  if (error == EACCES)
    return {kFailed, fmt::format("cannot listen on {}: ports below 1024 need privileges", where)};
  return {kFailed, fmt::format("cannot listen on {}: {}", where, std::strerror(error))};
}

}  // namespace

std::variant<std::unique_ptr<HttpServer>, Refusal> HttpServer::start(const std::string& address,
                                                                     unsigned port, Answer answer) {
  SocketAddress at{};
  socklen_t length = sizeof at.v4;
  std::string host = address;
  if (inet_pton(AF_INET, address.c_str(), &at.v4.sin_addr) == 1) {
    at.v4.sin_family = AF_INET;
    at.v4.sin_port = htons(static_cast<uint16_t>(port));
  } else if (inet_pton(AF_INET6, address.c_str(), &at.v6.sin6_addr) == 1) {
    at.v6.sin6_family = AF_INET6;
    at.v6.sin6_port = htons(static_cast<uint16_t>(port));
    length = sizeof at.v6;
    host = "[" + address + "]";
  } else {
    return Refusal{
        kWrongInput,
        fmt::format("--listen \"{}\" is no address; accepted are IPv4 and IPv6 addresses "
                    "in numbers, as 127.0.0.1, 0.0.0.0 or ::1",
                    address)};
  }
  const std::string where = fmt::format("{}:{}", host, port);
  if (const int error = try_to_listen(at, length); error != 0) return refused(where, error);

  std::unique_ptr<HttpServer> server(new HttpServer(std::move(answer)));
  const char* options[] = {
      "listening_ports",   where.c_str(), "num_threads", "16", "request_timeout_ms", "1000",
      "enable_keep_alive", "no",          nullptr};
  mg_callbacks callbacks{};
  callbacks.log_message = keep_message;
  mg_init_data init{&callbacks, nullptr, options};
  char text[200] = "";
  mg_error_data error{nullptr, text, sizeof text};
  server->context_ = mg_start2(&init, &error);
  if (server->context_ == nullptr)
    return Refusal{kFailed, fmt::format("cannot serve HTTP on {}: {}", where, text)};
  mg_set_request_handler(server->context_, "**", handle, server.get());
  mg_server_port listening{};
  if (mg_get_server_ports(server->context_, 1, &listening) == 1)
    port = static_cast<unsigned>(listening.port);
  server->url_ = fmt::format("http://{}:{}/", host, port);
  return server;
}

HttpServer::~HttpServer() {
  if (context_ != nullptr) mg_stop(context_);
}

}  // namespace numaheap::cli

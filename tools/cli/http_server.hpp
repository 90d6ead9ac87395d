/// \file
/// HttpServer: answers GET and HEAD on one address, with a handful of threads, until it is destroyed.
///
/// A request that does not come whole within a second is dropped, so that half ones do not use the threads up; a
/// connection serves one request.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "exported_pages.hpp"
#include "refusal.hpp"

struct mg_context;

namespace numaheap::cli {

class HttpServer {
 public:
  /// Called by several threads at once; throws nothing.
  using Answer = std::function<Page(std::string_view path, std::string_view accept)>;

  /// \param address  IPv4 or IPv6 in numbers. \param port  0: a free one.
  [[nodiscard]] static std::variant<std::unique_ptr<HttpServer>, Refusal> start(
      const std::string& address, unsigned port, Answer answer);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// http://ADDRESS:PORT/
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] const Answer& answer() const { return answer_; }

 private:
  explicit HttpServer(Answer answer) : answer_(std::move(answer)) {}

  Answer answer_;
  std::string url_;
  mg_context* context_ = nullptr;
};

}  // namespace numaheap::cli

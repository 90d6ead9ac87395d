#include "export_command.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <cerrno>
#include <cstdio>
#include <variant>

#include "exported_pages.hpp"
#include "http_server.hpp"
#include "refusal.hpp"
#include "view_command.hpp"

namespace numaheap::cli {

namespace {

int refuse(const Refusal& refusal) {
  fmt::print(stderr, "numaheap export: {}\n", refusal.sentence);
  return refusal.exit_status;
}

}  // namespace

int export_process(const ExportOptions& options) {
  auto process = find_process(options.process);
  if (const auto* refusal = std::get_if<Refusal>(&process)) return refuse(*refusal);
  ExportedPages pages(std::get<stats::ProcessView>(std::move(process)), options.process);

  // Before the server's threads come to be, so that they leave the signals to this one.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  signal(SIGPIPE, SIG_IGN);

  auto started = HttpServer::start(
      options.listen, options.port,
      [&](std::string_view path, std::string_view accept) { return pages.page(path, accept); });
  if (const auto* refusal = std::get_if<Refusal>(&started)) return refuse(*refusal);
  fmt::print("Listening on {}\n", std::get<0>(started)->url());
  std::fflush(stdout);

  constexpr timespec kLook{0, 200'000'000};
  for (std::string why; sigtimedwait(&ends, nullptr, &kLook) < 0;) {
    if (options.exit_with_process && pages.process_ended(why)) {
      fmt::print("{}\n", why);
      break;
    }
  }
  return kDone;
}

}  // namespace numaheap::cli

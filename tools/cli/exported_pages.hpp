/// \file
/// ExportedPages: what `numaheap export` answers: the newest snapshot of one process, in the form that a path names.
///
/// Threads: any; one page is made at a time.

#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "numaheap/stats/process_view.hpp"

namespace numaheap::cli {

struct Page {
  int status = 200;  ///< HTTP's.
  std::string type;
  std::string body;
};

class ExportedPages {
 public:
  /// \param who  how the command line named the process, for messages.
  ExportedPages(stats::ProcessView view, std::string who)
      : view_(std::move(view)), who_(std::move(who)) {}

  /// \param accept  the request's Accept header: /metrics is OpenMetrics for who asks for it.
  /// / is the heap map page, and /map what it draws.
  /// \returns status 404 for a path that there is none of, 503 if there is no snapshot to be had.
  [[nodiscard]] Page page(std::string_view path, std::string_view accept);

  /// Whether the process has ended; `why` says it as a sentence.
  [[nodiscard]] bool process_ended(std::string& why);

 private:
  [[nodiscard]] Page unavailable(const Error& error, bool as_json) const;

  std::mutex mutex_;
  stats::ProcessView view_;
  std::string who_;
};

}  // namespace numaheap::cli

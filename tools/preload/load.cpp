/// \file
/// What happens when the object is loaded, before main: reports get a voice, the main thread its role, and children
/// are left alone if asked. The heap itself starts at the first allocation, which is earlier.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "children.hpp"
#include "control_figures.hpp"
#include "message.hpp"
#include "numaheap/report.hpp"
#include "second_heap.hpp"
#include "thread_roles.hpp"

namespace numaheap::preload {
namespace {

const char* name(ReportKind kind) {
  switch (kind) {
    case ReportKind::kPlacement:
      return "placement";
    case ReportKind::kSetting:
      return "setting";
    case ReportKind::kMisuse:
      return "misuse";
    case ReportKind::kLimit:
      return "limit";
    case ReportKind::kOutOfMemory:
      return "out of memory";
  }
  return "report";
}

void print_report(const Report& report, void* /*context*/) noexcept {
  char address[32] = "";
  if (report.address != nullptr) snprintf(address, sizeof address, " (%p)", report.address);
  const bool has_errno = report.system_errno != 0;
  print_line("%s: %s%s%s%s", name(report.kind), report.text, address, has_errno ? ": " : "",
             has_errno ? strerrordesc_np(report.system_errno) : "");
}

/// A setting that is 1, or 0 as when it is not there.
bool is_on(const char* variable) {
  const char* value = getenv(variable);
  if (value == nullptr || strcmp(value, "0") == 0) return false;
  if (strcmp(value, "1") == 0) return true;
  print_line("setting: %s=%.40s is not accepted (0 or 1): the default 0 holds", variable, value);
  return false;
}

// Priority 101 is the first that is not reserved: before the constructors of this object, should it get any.
[[gnu::constructor(101)]] void start() {
  set_report_callback(print_report, nullptr);
  tell_of_second_heap();
  if (is_on("NUMAHEAP_NO_CHILDREN")) leave_environment_to_children();
  start_roles();
  keep_figures_across_fork();
}

}  // namespace
}  // namespace numaheap::preload

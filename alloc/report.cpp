#include "report.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "heap.hpp"
#include "numaheap/base/mutex.hpp"

namespace numaheap {

namespace alloc {

namespace {

struct Kept {
  Report report{};
  char copy[200] = {};
};

// Guards what follows but the atomics; never held over a callback. Reports only try it: a signal handler may make one.
Mutex g_mutex;
Kept g_kept[kMaxKeptReports];
unsigned g_kept_count = 0;
unsigned g_delivered = 0;

ReportCallback g_callback = nullptr;
void* g_context = nullptr;

std::atomic<bool> g_pending{false};
std::atomic<uint64_t> g_misuses{0};

void keep(ReportKind kind, const char* text, const void* address, int system_errno,
          bool copy) noexcept {
  if (!g_mutex.try_lock()) return;  // somebody reports right now: one report less
  bool known = false;
  for (unsigned i = 0; i < g_kept_count; ++i) {
    known = known || (copy ? strncmp(g_kept[i].copy, text, sizeof Kept::copy - 1) == 0
                           : g_kept[i].report.text == text);
  }
  if (!known && g_kept_count < kMaxKeptReports) {
    Kept& kept = g_kept[g_kept_count++];
    if (copy) {
      strncpy(kept.copy, text, sizeof kept.copy - 1);
      text = kept.copy;
    }
    kept.report = {kind, text, address, system_errno};
    g_pending.store(true, std::memory_order_relaxed);
  }
  g_mutex.unlock();
}

}  // namespace

void report_once(ReportKind kind, const char* text, const void* address,
                 int system_errno) noexcept {
  keep(kind, text, address, system_errno, false);
}

void report_copy(ReportKind kind, const char* text, int system_errno) noexcept {
  keep(kind, text, nullptr, system_errno, true);
}

void deliver_reports() noexcept {
  while (g_pending.load(std::memory_order_relaxed)) {
    if (!g_mutex.try_lock()) return;
    const ReportCallback callback = g_callback;
    void* const context = g_context;
    const bool more = callback != nullptr && g_delivered < g_kept_count;
    const Report report = more ? g_kept[g_delivered++].report : Report{};
    if (!more) g_pending.store(false, std::memory_order_relaxed);
    g_mutex.unlock();
    if (more) callback(report, context);
  }
}

void reports_after_fork_in_child() noexcept { g_mutex.reset_after_fork(); }

void report_misuse(const char* text, const void* address) noexcept {
  g_misuses.fetch_add(1, std::memory_order_relaxed);
  report_once(ReportKind::kMisuse, text, address);
  if (g_heap.settings().abort_on_misuse) {
    char line[256];
    const int length =
        snprintf(line, sizeof line, "numaheap: NUMAHEAP_MISUSE=abort: %s (%p)\n", text, address);
    if (write(STDERR_FILENO, line, static_cast<size_t>(length)) <
        0) { /* nothing left to tell it to */
    }
    abort();
  }
}

uint64_t misuse_count() noexcept { return g_misuses.load(std::memory_order_relaxed); }

}  // namespace alloc

void set_report_callback(ReportCallback callback, void* context) noexcept {
  using namespace alloc;
  {
    const MutexLock lock(g_mutex);
    g_callback = callback;
    g_context = context;
    g_delivered = 0;  // a new callback hears everything that was kept
    g_pending.store(g_kept_count != 0, std::memory_order_relaxed);
  }
  deliver_reports();
}

}  // namespace numaheap

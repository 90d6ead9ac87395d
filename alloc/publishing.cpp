#include "publishing.hpp"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <atomic>
#include <bit>
#include <cerrno>

#include "heap.hpp"
#include "map_publishing.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/stats/publisher.hpp"
#include "report.hpp"
#include "slow_path.hpp"

namespace numaheap::alloc {

namespace {

constexpr int64_t kBackgroundMs = 100;  // of housekeeping, where nothing is published

constinit stats::Publisher g_publisher;
std::atomic<bool> g_publishing{false};  ///< Somebody uses g_publisher.
std::atomic<bool> g_thread_started{false};
std::atomic<int64_t> g_next_ms{0};
std::atomic<bool> g_is_under_way{false};  ///< Published when it was due, not early.
std::atomic<unsigned> g_early_looks{0};

/// A server that starts quickly and then waits would not be seen until it works: so the 2nd, 8th, 32nd... look counts as
/// due, until one is. Programs of a few allocations pay nothing.
bool is_early_look_due() noexcept {
  const unsigned look = g_early_looks.fetch_add(1, std::memory_order_relaxed) + 1;
  return std::has_single_bit(look) && std::countr_zero(look) % 2 == 1;
}

void publish(stats::Freshness freshness) noexcept {
  // acquire: pairs with the release below; the last user's changes are seen. Who comes second leaves it to the first.
  if (g_publishing.exchange(true, std::memory_order_acquire)) return;
  const Status open = g_publisher.open();
  if (open) {
    g_publisher.publish(stats::Detail::kPerThread, freshness);
    publish_maps(g_publisher.map_wanted_until(), freshness == stats::Freshness::kRefresh);
  } else {
    report_once(
        ReportKind::kSetting,
        "no memfd for NUMAHEAP_PUBLISH_MS: numaheap top and its kin will not see this process");
  }
  // release: pairs with the acquire above.
  g_publishing.store(false, std::memory_order_release);
}

void* run_in_background(void* /*argument*/) {
  pthread_setname_np(pthread_self(), "numaheap");
  const int64_t period =
      g_heap.settings().publish_ms != 0 ? g_heap.settings().publish_ms : kBackgroundMs;
  const timespec pause{period / 1000, period % 1000 * 1'000'000};
  for (;;) {
    nanosleep(&pause, nullptr);
    housekeep();
    if (g_heap.settings().publish_ms != 0) publish(stats::Freshness::kRefresh);
  }
}

/// With all signals blocked: handlers run on the host's threads.
void start_thread() noexcept {
  if (g_thread_started.exchange(true, std::memory_order_relaxed)) return;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, size_t{256} << 10);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  if (pthread_create(&thread, &attributes, run_in_background, nullptr) != 0) {
    report_once(ReportKind::kSetting, "no thread could be started for NUMAHEAP_BACKGROUND=on");
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
}

}  // namespace

void look_whether_to_publish(int64_t now) noexcept {
  const Settings& settings = g_heap.settings();
  if (settings.publish_ms == 0 && !settings.background) return;
  if (settings.background) {
    t_locals.publish = !g_thread_started.load(std::memory_order_relaxed) && is_early_look_due();
    return;
  }
  int64_t due = g_next_ms.load(std::memory_order_relaxed);
  if (due == 0) {  // the first look: relaxed, as at worst two threads publish
    due = now + settings.publish_ms;
    g_next_ms.store(due, std::memory_order_relaxed);
  }
  if (now >= due) {
    t_locals.publish = g_next_ms.compare_exchange_strong(due, now + settings.publish_ms,
                                                         std::memory_order_relaxed);
    g_is_under_way.store(true, std::memory_order_relaxed);
  } else if (!g_is_under_way.load(std::memory_order_relaxed)) {
    t_locals.publish = is_early_look_due();
  }
}

void publish_if_due() noexcept {
  if (!t_locals.publish || t_locals.inside) return;
  t_locals.publish = false;
  const int saved_errno = errno;
  if (g_heap.settings().background) {
    start_thread();
  } else {
    publish(stats::Freshness::kAsKept);
  }
  errno = saved_errno;
}

void publishing_after_fork_in_child() noexcept {
  g_publisher.after_fork_in_child();
  map_publishing_after_fork_in_child();
  g_publishing.store(false, std::memory_order_relaxed);  // one thread is left
  g_thread_started.store(false, std::memory_order_relaxed);
  g_early_looks.store(0, std::memory_order_relaxed);
  g_is_under_way.store(false, std::memory_order_relaxed);
  g_next_ms.store(0, std::memory_order_relaxed);
}

}  // namespace numaheap::alloc

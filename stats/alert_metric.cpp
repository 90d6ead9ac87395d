#include "alert_metric.hpp"

#include <atomic>
#include <cstring>

#include "numaheap/base/check.hpp"
#include "numaheap/base/mutex.hpp"

namespace numaheap::stats {

namespace {

constexpr int kNotShown = -1;

struct Place {
  char name[AlertRule::kMaxName + 1] = {};  ///< Never changes once g_places counts it.
  std::atomic<int> firing{kNotShown};
  bool is_claimed = false;  ///< Guarded by g_mutex.
};

constinit Place g_place[Alerts::kMaxExported];
constinit std::atomic<size_t> g_places{0};
constinit Mutex g_mutex;  // of those who claim and release; readers take none

void read(void* /*context*/, Emitter& out) noexcept {
  // acquire: pairs with the release in claim_one(); the names are there.
  const size_t places = g_places.load(std::memory_order_acquire);
  for (size_t i = 0; i < places; ++i) {
    const int firing = g_place[i].firing.load(std::memory_order_relaxed);
    if (firing != kNotShown) out.emit(firing, {g_place[i].name});
  }
}

constinit Metric g_firing{.name = kAlertFiring,
                          .help = "1 while the alert fires, else 0; the process' own alert rules.",
                          .label_keys = {"alert"},
                          .read = read};

Place* find(const char* name) noexcept {
  const size_t places = g_places.load(std::memory_order_acquire);  // acquire: as in read()
  for (size_t i = 0; i < places; ++i) {
    if (std::strcmp(g_place[i].name, name) == 0) return &g_place[i];
  }
  return nullptr;
}

Status claim_one(const char* name) noexcept NH_REQUIRES(g_mutex) {
  Place* place = find(name);
  if (place == nullptr) {
    const size_t places = g_places.load(std::memory_order_relaxed);
    if (places == Alerts::kMaxExported)
      return Error{ErrorCode::kNoMemory, 0, "no more names of alerts can be shown as a metric"};
    place = &g_place[places];
    std::strncpy(place->name, name, AlertRule::kMaxName);
    // release: pairs with the acquire in read() and find(); publishes the name.
    g_places.store(places + 1, std::memory_order_release);
  }
  if (place->is_claimed)
    return Error{ErrorCode::kInvalidArgument, 0, "an alert of this name is shown already"};
  place->is_claimed = true;
  return numaheap::Unit{};
}

void release(const char* name) noexcept NH_REQUIRES(g_mutex) {
  Place* place = find(name);
  NH_ASSERT(place != nullptr);
  place->is_claimed = false;
  place->firing.store(kNotShown, std::memory_order_relaxed);
}

}  // namespace

Status claim_exported(std::span<const AlertStatus> alerts) noexcept {
  const MutexLock lock(g_mutex);
  for (size_t i = 0; i < alerts.size(); ++i) {
    Status claimed = claim_one(alerts[i].rule->name);
    if (claimed) continue;
    for (const AlertStatus& earlier : alerts.first(i)) release(earlier.rule->name);
    return claimed;
  }
  register_metric(g_firing);
  return numaheap::Unit{};
}

void show_exported(std::span<const AlertStatus> alerts) noexcept {
  for (const AlertStatus& alert : alerts) {
    Place* place = find(alert.rule->name);
    NH_ASSERT(place != nullptr);
    place->firing.store(alert.state == AlertState::kFiring ? 1 : 0, std::memory_order_relaxed);
  }
}

void release_exported(std::span<const AlertStatus> alerts) noexcept {
  const MutexLock lock(g_mutex);
  for (const AlertStatus& alert : alerts) release(alert.rule->name);
}

}  // namespace numaheap::stats

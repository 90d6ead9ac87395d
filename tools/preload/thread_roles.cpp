#include "thread_roles.hpp"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "message.hpp"
#include "numaheap/alloc.hpp"
#include "numaheap/base/mutex.hpp"
#include "numaheap/numa/role_table.hpp"
#include "role_nodes.hpp"

namespace numaheap::preload {
namespace {

using numa::CpuSet;
using numa::RoleEntry;
using numa::RoleTable;

/// The roles of the process, read once.
struct Roles {
  RoleTable table;
  CpuSet process_cpus;  ///< Where the process ran before any role was applied.
  std::atomic<bool> cpus_refused[numa::kMaxRoles] = {};    ///< Reported already.
  std::atomic<bool> memory_refused[numa::kMaxRoles] = {};  ///< Reported already.
};

enum class State { kUnread, kNone, kRead };

constinit Roles g_roles;
constinit std::atomic<State> g_state{State::kUnread};
constinit Mutex g_reading;

/// The CPUs that a thread may run on, in the layout of CpuSet::words().
struct AffinityMask {
  alignas(cpu_set_t) uint64_t words[CpuSet::kCapacity / 64] = {};
  cpu_set_t* get() { return reinterpret_cast<cpu_set_t*>(words); }
  [[nodiscard]] bool operator==(const CpuSet& cpus) const {
    return memcmp(words, cpus.words(), sizeof words) == 0;
  }
};
static_assert(sizeof(AffinityMask) == CpuSet::kCapacity / 8);

CpuSet process_cpus() {
  CpuSet cpus;
  AffinityMask mask;
  if (sched_getaffinity(0, sizeof mask, mask.get()) != 0) return cpus;
  for (unsigned cpu = 0; cpu < CpuSet::kCapacity; ++cpu) {
    if ((mask.words[cpu / 64] >> (cpu % 64) & 1) != 0) cpus.insert(cpu);
  }
  return cpus;
}

void set_up_nodes(const RoleTable& table) {
  alloc::set_up_role_nodes(
      table,
      [](NodeId node, const char* what, const Error& error, void*) noexcept {
        print_line("placement: the %s of node %u is not set: %s", what, node.value, error.text);
      },
      nullptr);
}

/// The roles, or nullptr if there are none.
Roles* roles() {
  // acquire: pairs with the release below; the table is seen as it was read.
  State state = g_state.load(std::memory_order_acquire);
  if (__builtin_expect(state == State::kUnread, 0)) {
    MutexLock lock(g_reading);
    state = g_state.load(std::memory_order_relaxed);
    if (state == State::kUnread) {
      state = State::kNone;
      const char* text = getenv("NUMAHEAP_ROLES");
      if (text != nullptr && *text != 0) {
        const Status parsed = g_roles.table.parse(text);
        if (!parsed)
          print_line("setting: NUMAHEAP_ROLES: %s; no role is applied", parsed.error().text);
        if (parsed && g_roles.table.size() != 0) {
          g_roles.process_cpus = process_cpus();
          set_up_nodes(g_roles.table);
          state = State::kRead;
        }
      }
      g_state.store(state, std::memory_order_release);
    }
  }
  return state == State::kRead ? &g_roles : nullptr;
}

/// Whether a mask is one that a role gave, and not one that the program chose itself.
bool is_mask_of_a_role(const Roles& all, const AffinityMask& mask) {
  for (unsigned i = 0; i < all.table.size(); ++i) {
    const CpuSet& cpus = all.table[i].cpus;
    if (!cpus.empty() && (mask == cpus || mask == (CpuSet(cpus) & all.process_cpus))) return true;
  }
  return false;
}

/// Runs a thread on its role's CPUs. A role without CPUs takes back what another role, the creator's perhaps, set.
int pin(const Roles& all, pthread_t thread, const RoleEntry& role) {
  const CpuSet* cpus = &role.cpus;
  if (cpus->empty()) {
    AffinityMask now;
    if (pthread_getaffinity_np(thread, sizeof now, now.get()) != 0 || !is_mask_of_a_role(all, now))
      return 0;
    cpus = &all.process_cpus;
  }
  return pthread_setaffinity_np(thread, CpuSet::kCapacity / 8,
                                reinterpret_cast<const cpu_set_t*>(cpus->words()));
}

/// What is refused is said once per role; the thread goes on without.
void apply(Roles& all, pthread_t thread, const RoleEntry& role) {
  const auto index = static_cast<unsigned>(&role - &all.table[0]);
  const int error = pin(all, thread, role);
  if (error != 0 && !all.cpus_refused[index].exchange(true, std::memory_order_relaxed)) {
    print_line("placement: role %s: its threads are not pinned: %s", role.name,
               strerrordesc_np(error));
  }
  const Placement placement = alloc::placement_of_role(role);
  const Status homed = pthread_equal(thread, pthread_self()) ? set_thread_home(placement)
                                                             : set_thread_home(thread, placement);
  if (!homed && !all.memory_refused[index].exchange(true, std::memory_order_relaxed)) {
    print_line("placement: role %s: its memory is not placed: %s", role.name, homed.error().text);
  }
}

struct ThreadName {
  char text[16] = "";

  static ThreadName of_calling_thread() {
    ThreadName name;
    syscall(SYS_prctl, PR_GET_NAME, name.text, 0, 0, 0);
    return name;
  }
  bool operator==(const ThreadName& other) const { return strcmp(text, other.text) == 0; }
};

struct ThreadStart {
  void* (*run)(void*);
  void* argument;
  ThreadName creator;
};

/// The first function of a thread. A new thread has its creator's name until it is given one, and its creator may do
/// that before the thread has run at all: so the name is read again after the role was applied, until it stays. Who
/// names another thread sets the name first and applies the role then; whichever comes last sees the new name.
void* start_in_role(void* argument) {
  const ThreadStart start = *static_cast<ThreadStart*>(argument);
  Roles& all = *roles();
  ThreadName name = start.creator;
  ThreadName now = ThreadName::of_calling_thread();
  apply(all, pthread_self(), now == name ? all.table[0] : all.table.match(now.text));
  for (name = now; !(name == (now = ThreadName::of_calling_thread())); name = now) {
    apply(all, pthread_self(), all.table.match(now.text));
  }
  numaheap::deallocate(argument, sizeof start);  // only now: the heap looks where the thread runs
  return start.run(start.argument);
}

/// glibc's function of a name that we export too.
template <class Function>
Function* next_definition(std::atomic<Function*>& known, const char* name) {
  Function* function =
      known.load(std::memory_order_relaxed);  // relaxed: all who look find the same
  if (function == nullptr) {
    function = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
    known.store(function, std::memory_order_relaxed);
  }
  return function;
}

using CreateFunction = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) noexcept;
using SetNameFunction = int(pthread_t, const char*) noexcept;
constinit std::atomic<CreateFunction*> g_next_create;
constinit std::atomic<SetNameFunction*> g_next_set_name;

}  // namespace

void start_roles() noexcept {
  if (Roles* all = roles())
    apply(*all, pthread_self(), all->table.match(ThreadName::of_calling_thread().text));
}

}  // namespace numaheap::preload

using namespace numaheap::preload;

extern "C" {

NH_API int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                          void* argument) noexcept {
  auto* next = next_definition(g_next_create, "pthread_create");
  if (roles() == nullptr) return next(thread, attributes, run, argument);
  void* memory = numaheap::allocate(sizeof(ThreadStart));
  if (memory == nullptr) return EAGAIN;
  auto* start = static_cast<ThreadStart*>(memory);
  *start = {run, argument, ThreadName::of_calling_thread()};
  const int error = next(thread, attributes, start_in_role, start);
  if (error != 0) numaheap::deallocate(memory, sizeof(ThreadStart));
  return error;
}

NH_API int pthread_setname_np(pthread_t thread, const char* name) noexcept {
  const int error = next_definition(g_next_set_name, "pthread_setname_np")(thread, name);
  if (error != 0) return error;
  if (Roles* all = roles()) apply(*all, thread, all->table.match(name));
  return 0;
}

NH_API int prctl(int option, ...) noexcept {
  va_list list;
  va_start(list, option);
  unsigned long arguments[4];
  for (unsigned long& argument : arguments) argument = va_arg(list, unsigned long);
  va_end(list);
  const long result =
      syscall(SYS_prctl, option, arguments[0], arguments[1], arguments[2], arguments[3]);
  if (option == PR_SET_NAME && result == 0) {
    if (Roles* all = roles())
      apply(*all, pthread_self(), all->table.match(ThreadName::of_calling_thread().text));
  }
  return static_cast<int>(result);
}

}  // extern "C"

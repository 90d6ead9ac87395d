/// \file
/// SlowPath: the scope in which a thread changes its caches' books or deals with the shared tiers.
///
/// Entering makes the thread's sequence odd and leaving makes it even (see ThreadState). It is not re-entered: a signal
/// handler that allocates while its thread is in here gets false from entered(), and is served from the emergency
/// memory, since any lock below may be held by its own thread.

#pragma once

#include "heap.hpp"

namespace numaheap::alloc {

/// Per thread; one cache line's worth of static TLS would be too much for a plugin, this is two words.
struct ThreadLocals {
  ThreadState* state;
  bool inside;  ///< In a SlowPath.
  bool exited;  ///< The thread's destructor ran: states are borrowed per call from now on.
  uint8_t without_reclaim;  ///< Nested WithoutReclaim scopes.
  bool reclaiming;          ///< In the reclaim hook.
  bool announcing;          ///< In the limit callback.
  bool publish;             ///< A snapshot is due, and this thread takes it when it is outside.
};
extern __thread ThreadLocals t_locals __attribute__((tls_model("initial-exec")));

class SlowPath {
 public:
  SlowPath() noexcept;
  ~SlowPath();
  SlowPath(const SlowPath&) = delete;
  SlowPath& operator=(const SlowPath&) = delete;

  /// False: this thread is inside already, further up its stack.
  [[nodiscard]] bool entered() const noexcept { return entered_; }
  /// nullptr: not entered, the heap cannot start, there is no memory for a state, or the system back end is on.
  [[nodiscard]] ThreadState* thread() const noexcept { return thread_; }

 private:
  bool entered_;
  bool borrowed_ = false;
  ThreadState* thread_ = nullptr;
};

/// What every way out of a slow path does once the thread is outside: hands reports and limit events to the host.
void leave_slow_path() noexcept;

/// Makes sure that the thread's destructor runs at its end. Called outside of a SlowPath: the C library may allocate.
void watch_thread_exit() noexcept;
/// Creates the key that does it; once, at the heap's start.
bool make_thread_exit_key() noexcept;

}  // namespace numaheap::alloc

#include "message.hpp"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

namespace numaheap::preload {
namespace {

/// write(2) whose SIGPIPE, if it raises one, is taken back: the program may not know that we write.
void write_quietly(const char* text, size_t bytes) {
  sigset_t pipe_signal, old_mask, pending;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &old_mask);
  const bool was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
  if (write(STDERR_FILENO, text, bytes) < 0 && errno == EPIPE && !was_pending) {
    const timespec no_wait{};
    sigtimedwait(&pipe_signal, nullptr, &no_wait);
  }
  pthread_sigmask(SIG_SETMASK, &old_mask, nullptr);
}

}  // namespace

void print_line(const char* format, ...) noexcept {
  const int saved_errno = errno;
  char line[512] = "numaheap: ";
  const size_t prefix = strlen(line);
  const size_t room = sizeof line - prefix;  // the terminator's place takes the line's end
  va_list arguments;
  va_start(arguments, format);
  const int wanted = vsnprintf(line + prefix, room, format, arguments);
  va_end(arguments);
  size_t length = prefix + (wanted < 0                           ? 0
                            : static_cast<size_t>(wanted) < room ? static_cast<size_t>(wanted)
                                                                 : room - 1);
  line[length++] = '\n';
  write_quietly(line, length);
  errno = saved_errno;
}

}  // namespace numaheap::preload

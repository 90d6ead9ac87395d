#include "numaheap/base/check.hpp"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace numaheap {

void check_failed(const char* file, int line, const char* what) noexcept {
  char text[512];
  size_t used = 0;
  const auto put = [&](const char* s) {
    for (; *s != 0 && used + 1 < sizeof text; ++s) text[used++] = *s;
  };
  char digits[12];
  char* digit = digits + sizeof digits - 1;
  *digit = 0;
  for (unsigned n = static_cast<unsigned>(line); n != 0; n /= 10)
    *--digit = static_cast<char>('0' + n % 10);
  put("numaheap: ");
  put(file);
  put(":");
  put(digit);
  put(": check failed: ");
  put(what);
  put("\n");
  if (write(STDERR_FILENO, text, used) < 0) { /* nothing left to tell it to */
  }
  abort();
}

}  // namespace numaheap

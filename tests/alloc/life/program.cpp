// Linked with the library: it allocates before main, in threads that end, at exit and after.
#include <cstdlib>
#include <thread>

extern "C" void use_library();

int main() {
  std::thread(use_library).join();
  use_library();
  std::thread([] {
    use_library();
    exit(0);  // while main waits, and from a thread that is not the first
  }).join();
  return 1;
}

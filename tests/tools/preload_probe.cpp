/// \file
/// What programs do that is hard on an allocator, one thing per run: `preload_probe WHAT`. Started under the preload
/// object by preload_process_test; exit status 0 and the words on stdout are the result.

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

extern char** environ;
extern "C" [[gnu::weak]] void sdallocx(void* block, size_t size, int flags);

namespace {

/// Allocates and frees many sizes; ends the process if a block was changed by another.
void churn(unsigned seed, int rounds) {
  std::mt19937 random(seed);
  std::vector<std::pair<unsigned char*, size_t>> blocks(200);
  for (int i = 0; i < rounds; ++i) {
    auto& [block, size] = blocks[random() % blocks.size()];
    if (block != nullptr && (block[0] != (size & 0xff) || block[size - 1] != (size & 0xff)))
      abort();
    free(block);
    size = random() % (random() % 16 == 0 ? 100000 : 1000) + 1;
    block = static_cast<unsigned char*>(malloc(size));
    block[0] = block[size - 1] = static_cast<unsigned char>(size & 0xff);
  }
  for (auto& [block, size] : blocks) free(block);
}

/// Threads that churn until this ends.
class BusyThreads {
 public:
  explicit BusyThreads(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      threads_.emplace_back([this, i] {
        for (unsigned round = 0; !stop_; ++round) churn(i * 1000 + round, 1000);
      });
    }
  }
  ~BusyThreads() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

bool succeeded(pid_t child) {
  int status = -1;
  return waitpid(child, &status, 0) == child && status == 0;
}

/// Forks while other threads are anywhere in the heap; the children use it, with threads of their own.
int fork_among_threads() {
  BusyThreads busy(4);
  for (unsigned i = 0; i < 100; ++i) {
    churn(i, 100);
    const pid_t child = fork();
    if (child == 0) {
      churn(i, 2000);
      std::thread(churn, i, 2000).join();
      _exit(0);
    }
    if (!succeeded(child)) return 1;
  }
  return 0;
}

/// Children by vfork(2), as posix_spawn and system make them, among busy threads.
int spawn_among_threads() {
  BusyThreads busy(4);
  for (int i = 0; i < 50; ++i) {
    pid_t child = -1;
    char name[] = "true";
    char* arguments[] = {name, nullptr};
    if (posix_spawnp(&child, name, nullptr, nullptr, arguments, environ) != 0 || !succeeded(child))
      return 1;
  }
  return system("true");
}

struct AllocatesAtThreadExit {
  char* block = static_cast<char*>(malloc(100));
  ~AllocatesAtThreadExit() {
    free(block);
    churn(7, 100);
  }
};
thread_local AllocatesAtThreadExit t_at_exit;

/// Short threads with full caches, whose destructors of both kinds still allocate.
int thread_exits() {
  pthread_key_t key;
  pthread_key_create(&key, [](void* block) {
    free(block);
    churn(9, 100);
  });
  for (int round = 0; round < 100; ++round) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 10; ++i) {
      threads.emplace_back([=] {
        t_at_exit.block[0] = 1;
        pthread_setspecific(key, malloc(200));
        churn(i, 500);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  return 0;
}

struct BeforeAndAfterMain {
  std::map<int, std::string> map;
  BeforeAndAfterMain() {
    for (int i = 0; i < 1000; ++i) map[i] = std::string(100, 'x');
  }
  ~BeforeAndAfterMain() {
    churn(1, 1000);
    map.clear();
    if (write(STDOUT_FILENO, "after main\n", 11) != 11) _exit(1);
  }
} g_before_and_after_main;

int after_main() {
  atexit([] { churn(2, 1000); });
  return g_before_and_after_main.map.size() == 1000 ? 0 : 1;
}

/// A handler that allocates while its thread is in malloc.
int signals() {
  signal(SIGALRM, [](int) { free(malloc(300)); });
  const itimerval timer{{0, 200}, {0, 200}};
  setitimer(ITIMER_REAL, &timer, nullptr);
  churn(3, 300000);
  const itimerval off{};
  setitimer(ITIMER_REAL, &off, nullptr);
  return 0;
}

int foreign_pointer() {
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 3; ++i) free(static_cast<char*>(page) + 64);
  churn(4, 1000);
  puts("went on");
  return 0;
}

int interior_pointer() {
  auto* block = static_cast<char*>(malloc(100000));
  free(block + 50000);
  free(block);
  churn(5, 1000);
  puts("went on");
  return 0;
}

int sized_free_of_jemalloc() {
  if (sdallocx == nullptr) return 2;
  for (const size_t size : {1u, 100u, 5000u, 1u << 20, 9u << 20}) sdallocx(malloc(size), size, 0);
  churn(6, 1000);
  return 0;
}

int closed_stderr() {
  int ends[2];
  if (pipe(ends) != 0) return 2;
  close(ends[0]);
  dup2(ends[1], STDERR_FILENO);  // a write to it raises SIGPIPE
  foreign_pointer();
  sigset_t pending;
  return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 0 ? 0 : 1;
}

/// Where the calling thread may run: "name: first CPU, number of CPUs".
void tell_cpus(const char* who) {
  cpu_set_t cpus;
  sched_getaffinity(0, sizeof cpus, &cpus);
  int first = 0;
  while (first < CPU_SETSIZE && !CPU_ISSET(first, &cpus)) ++first;
  printf("%s: %d %d\n", who, first, CPU_COUNT(&cpus));
  fflush(stdout);
}

void in_thread(const std::function<void()>& body) { std::thread(body).join(); }

/// Threads that get their role in every way there is.
int roles() {
  tell_cpus("main");
  in_thread([] { tell_cpus("unnamed"); });
  in_thread([] {
    pthread_setname_np(pthread_self(), "worker-1");
    tell_cpus("named by itself");
    in_thread([] { tell_cpus("unnamed child of a worker"); });
    pthread_setname_np(pthread_self(), "other");
    tell_cpus("renamed");
  });
  in_thread([] {
    prctl(PR_SET_NAME, "worker-2", 0, 0, 0);
    tell_cpus("named by prctl");
  });
  std::atomic<int> step{0};
  std::thread named([&] {
    step = 1;
    while (step != 2) sched_yield();
    tell_cpus("named by its creator");
  });
  while (step != 1) sched_yield();
  pthread_setname_np(named.native_handle(), "worker-3");
  step = 2;
  named.join();
  for (int i = 0; i < 200; ++i) {  // named before it may have begun to run
    std::thread early([&] {
      while (step != 3) sched_yield();
      cpu_set_t cpus;
      sched_getaffinity(0, sizeof cpus, &cpus);
      if (CPU_COUNT(&cpus) != 1) puts("named early: not pinned");
    });
    pthread_setname_np(early.native_handle(), "worker-4");
    step = 3;
    early.join();
    step = 2;
  }
  churn(8, 1000);
  return 0;
}

/// On which nodes the pages of new memory of the calling thread are: "who: node share node share ...", in percent.
void tell_nodes(const char* who) {
  std::vector<void*> pages;
  auto* large = static_cast<char*>(malloc(8 << 20));
  for (size_t offset = 4096; offset < 8 << 20; offset += 4096) {
    large[offset] = 1;
    pages.push_back(large + offset);
  }
  std::vector<void*> small(2000);
  for (void*& block : small) {
    block = malloc(1000);
    memset(block, 1, 1000);
    pages.push_back(block);
  }
  for (void*& page : pages)
    page = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(page) & ~uintptr_t{4095});
  std::vector<int> nodes(pages.size());
  if (syscall(SYS_move_pages, 0, pages.size(), pages.data(), nullptr, nodes.data(), 0) != 0)
    exit(2);
  std::map<int, size_t> on_node;
  for (const int node : nodes) ++on_node[node];
  printf("%s:", who);
  for (const auto& [node, count] : on_node) printf(" %d %zu", node, count * 100 / nodes.size());
  puts("");
  fflush(stdout);
  for (void* block : small) free(block);
  free(large);
}

/// The memory of threads in several roles.
int placement() {
  in_thread([] {
    pthread_setname_np(pthread_self(), "far-1");
    tell_nodes("named by itself");
  });
  std::atomic<bool> named{false};
  std::thread by_creator([&] {
    while (!named) sched_yield();
    tell_nodes("named by its creator");
  });
  pthread_setname_np(by_creator.native_handle(), "far-2");
  named = true;
  by_creator.join();
  in_thread([] {
    pthread_setname_np(pthread_self(), "spread");
    tell_nodes("interleaved");
  });
  in_thread([] {
    pthread_setname_np(pthread_self(), "pinned");
    tell_nodes("pinned");
  });
  return 0;
}

/// What a child finds in its environment, and what is left of it here.
int environment() {
  printf("own: %s\n", getenv("LD_PRELOAD") == nullptr ? "none" : getenv("LD_PRELOAD"));
  fflush(stdout);
  return system("echo child: ${LD_PRELOAD-none}");
}

const std::map<std::string, int (*)()> kProbes = {
    {"after-main", after_main},
    {"closed-stderr", closed_stderr},
    {"environment", environment},
    {"foreign-pointer", foreign_pointer},
    {"fork", fork_among_threads},
    {"interior-pointer", interior_pointer},
    {"placement", placement},
    {"roles", roles},
    {"sdallocx", sized_free_of_jemalloc},
    {"signals", signals},
    {"spawn", spawn_among_threads},
    {"thread-exits", thread_exits},
};

}  // namespace

int main(int argc, char** argv) {
  Dl_info info;
  if (dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) == 0 ||
      strstr(info.dli_fname, "libnumaheap_preload.so") == nullptr) {
    fprintf(stderr, "preload_probe: malloc is not the preload object's\n");
    return 3;
  }
  const auto probe = kProbes.find(argc > 1 ? argv[1] : "");
  if (probe == kProbes.end()) {
    fprintf(stderr, "usage: preload_probe WHAT, one of:\n");
    for (const auto& [name, function] : kProbes) fprintf(stderr, "  %s\n", name.c_str());
    return 2;
  }
  return probe->second();
}

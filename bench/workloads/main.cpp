// nh_workloads: runs one row over whatever malloc the process got, and prints one line of JSON.

#include <dlfcn.h>

#include <climits>
#include <cstdio>
#include <cstring>

#include "run.hpp"

namespace numaheap::bench {

namespace {

constexpr double kQuickSeconds = 0.2;
constexpr double kFullSeconds = 1;

constexpr const char* kUsage =
    "Usage: nh_workloads [--quick | --full | --seconds S] [--expect-malloc FILE] ROW\n"
    "       nh_workloads --list\n"
    "Runs one workload over the malloc that this process got (preload another with LD_PRELOAD) and "
    "prints one line of\n"
    "JSON: operations, and CPU time (user and system, all threads) and wall time for each, in "
    "nanoseconds.\n"
    "  --list                rows, one a line: name, group, what it does, separated by tabs\n"
    "  --quick, --full       about 0.2 s (the default) or 1 s of CPU time\n"
    "  --expect-malloc FILE  fails unless malloc comes from this shared object\n";

struct Options {
  double seconds = kQuickSeconds;
  const char* expected_malloc = nullptr;
  const char* row = nullptr;
  bool list = false;
};

[[noreturn]] void refuse(const char* what, const char* input) {
  std::fprintf(stderr, "nh_workloads: %s '%s'\n%s", what, input, kUsage);
  std::exit(2);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const auto is = [&](const char* name) { return std::strcmp(argv[i], name) == 0; };
    const auto value = [&] {
      return i + 1 < argc ? argv[++i] : (refuse("a value is missing after", argv[i]), nullptr);
    };
    if (is("--quick")) {
      options.seconds = kQuickSeconds;
    } else if (is("--full")) {
      options.seconds = kFullSeconds;
    } else if (is("--seconds")) {
      const char* text = value();
      char* end = nullptr;
      options.seconds = std::strtod(text, &end);
      if (*end != 0 || !(options.seconds > 0 && options.seconds <= 3600)) {
        refuse("--seconds takes a number above 0 and up to 3600, not", text);
      }
    } else if (is("--expect-malloc")) {
      options.expected_malloc = value();
    } else if (is("--list")) {
      options.list = true;
    } else if (is("--help")) {
      std::fputs(kUsage, stdout);
      std::exit(0);
    } else if (argv[i][0] == '-' || options.row != nullptr) {
      refuse("unexpected argument", argv[i]);
    } else {
      options.row = argv[i];
    }
  }
  if (!options.list && options.row == nullptr)
    refuse("the name of a row is missing;", "--list shows them");
  return options;
}

/// The file that this process' malloc comes from.
std::string malloc_file() {
  Dl_info info;
  void* symbol = dlsym(RTLD_DEFAULT, "malloc");
  char path[PATH_MAX];
  if (symbol == nullptr || dladdr(symbol, &info) == 0 ||
      realpath(info.dli_fname, path) == nullptr) {
    fail("cannot tell which file malloc comes from");
  }
  return path;
}

void check_malloc(const std::string& actual, const char* expected) {
  char path[PATH_MAX];
  if (realpath(expected, path) == nullptr) refuse("--expect-malloc names no file:", expected);
  if (actual == path) return;
  std::fprintf(stderr,
               "nh_workloads: malloc comes from %s, not from %s: the preload did not take effect\n",
               actual.c_str(), path);
  std::exit(3);
}

void print(const Row& row, const Run& run, const std::string& malloc_from) {
  const auto operations = static_cast<double>(run.operations());
  const Cost& cost = run.cost();
  std::printf(
      "{\"row\": \"%s\", \"group\": \"%s\", \"operations\": %llu, \"cpu_ns\": %.3f, \"wall_ns\": "
      "%.3f, "
      "\"system_ns\": %.3f, \"seconds\": %.3f, \"malloc\": \"%s\"",
      row.name.c_str(), row.group.c_str(), static_cast<unsigned long long>(run.operations()),
      cost.cpu_ns() / operations, cost.wall_ns / operations, cost.system_ns / operations,
      cost.wall_ns / 1e9, malloc_from.c_str());
  const char* separator = ", \"phases\": [";
  for (const Phase& phase : run.phases()) {
    std::printf(
        "%s{\"name\": \"%s\", \"resident_bytes\": %llu, \"live_bytes\": %llu, \"cpu_ns\": %.3f}",
        separator, phase.name.c_str(), static_cast<unsigned long long>(phase.resident_bytes),
        static_cast<unsigned long long>(phase.live_bytes), phase.cpu_ns);
    separator = ", ";
  }
  std::puts(run.phases().empty() ? "}" : "]}");
}

int run_main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  std::vector<Row> rows;
  add_single_rows(rows);
  add_thread_rows(rows);
  add_large_rows(rows);
  add_fragmentation_rows(rows);
  if (options.list) {
    for (const Row& row : rows)
      std::printf("%s\t%s\t%s\n", row.name.c_str(), row.group.c_str(), row.what.c_str());
    return 0;
  }
  const std::string malloc_from = malloc_file();
  if (options.expected_malloc != nullptr) check_malloc(malloc_from, options.expected_malloc);
  for (const Row& row : rows) {
    if (row.name != options.row) continue;
    Run run(options.seconds);
    row.body(run);
    print(row, run, malloc_from);
    return 0;
  }
  refuse("unknown row (--list shows them):", options.row);
}

}  // namespace

}  // namespace numaheap::bench

int main(int argc, char** argv) { return numaheap::bench::run_main(argc, argv); }

#include "top_command.hpp"

#include <curses.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <thread>

#include "top_frame.hpp"
#include "view_command.hpp"

namespace numaheap::cli {

namespace {

using std::chrono::nanoseconds;

/// The terminal in curses' hands, while there is one of these.
class Screen {
 public:
  /// \returns whether the terminal can do it.
  bool open() {
    const char* terminal = std::getenv("TERM");
    screen_ = terminal != nullptr ? newterm(terminal, stdout, stdin) : nullptr;
    if (screen_ == nullptr) return false;
    noecho();
    cbreak();
    curs_set(0);
    return true;
  }
  ~Screen() {
    if (screen_ == nullptr) return;
    endwin();
    delscreen(screen_);
  }

  void draw(const std::vector<std::string>& lines) {
    erase();
    int row = 0;
    for (const std::string& line : lines) {
      if (row == 0) attron(A_REVERSE);
      mvaddnstr(row, 0, line.c_str(), COLS);
      if (row == 0) attroff(A_REVERSE);
      if (++row >= LINES - 1) break;
    }
    mvaddnstr(LINES - 1, 0, "q: quit   space: hold", COLS);
    refresh();
  }
  /// Waits for a key. \returns ERR if none came.
  static int key(nanoseconds wait) {
    timeout(static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(wait).count()));
    return getch();
  }

 private:
  SCREEN* screen_ = nullptr;
};

/// Waits for the next frame, and as long as the user holds this one. \returns false if there shall be none.
bool wait_for_next(bool full_screen, nanoseconds pause) {
  if (!full_screen) {
    std::this_thread::sleep_for(pause);
    return true;
  }
  bool held = false;
  do {
    const int key = Screen::key(pause);
    if (key == 'q' || key == 'Q') return false;
    if (key == ' ') held = !held;
  } while (held);
  return true;
}

}  // namespace

int show_top(const TopOptions& options) {
  const auto refuse = [](const Refusal& refusal) {
    fmt::print(stderr, "numaheap top: {}\n", refusal.sentence);
    return refusal.exit_status;
  };
  if (!(options.seconds >= 0.1 && options.seconds <= 3600))
    return refuse({kWrongInput,
                   fmt::format("--seconds {} is not accepted: 0.1 to 3600 is", options.seconds)});
  auto process = find_process(options.process);
  if (const auto* refusal = std::get_if<Refusal>(&process)) return refuse(*refusal);
  auto& view = std::get<stats::ProcessView>(process);

  std::optional<Screen> screen;
  if (!options.batch) {
    if (isatty(STDOUT_FILENO) == 0 || !screen.emplace().open())
      return refuse(
          {kWrongInput, "a full screen needs a terminal that TERM names; --batch prints lines"});
  }
  TopTotals last;
  const auto pause =
      std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(options.seconds));
  for (unsigned frame = 1;; ++frame) {
    const auto read = read_snapshot(view, options.process);
    if (const auto* refusal = std::get_if<Refusal>(&read)) {
      screen.reset();
      return refuse(*refusal);
    }
    const auto& from = *std::get<0>(read);
    const auto lines = top_frame({.snapshot = from.snapshot(),
                                  .title = fmt::format("{} ({})", options.process, view.pid()),
                                  .age = from.age(),
                                  .at = from.published()},
                                 last);
    if (screen) {
      screen->draw(lines);
    } else {
      for (const std::string& line : lines) fmt::print("{}\n", line);
      std::fflush(stdout);
    }
    if (frame == options.frames || !wait_for_next(screen.has_value(), pause)) return kDone;
  }
}

}  // namespace numaheap::cli

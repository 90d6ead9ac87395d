#include "numaheap/stats/alert_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "alert_reader.hpp"

namespace numaheap::stats {

namespace {

/// \returns 0 or an errno.
int read_file(const std::string& path, std::string& text) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
  if (file == nullptr) return errno;
  char buffer[4096];
  for (size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, file.get())) != 0;) {
    text.append(buffer, got);
  }
  return std::ferror(file.get()) != 0 ? errno : 0;
}

}  // namespace

std::string to_text(const AlertMistake& mistake) noexcept {
  std::string text = mistake.file;
  if (mistake.line != 0) text += ':' + std::to_string(mistake.line);
  text += ": ";
  if (!mistake.key.empty()) {
    text += mistake.key;
    if (!mistake.value.empty()) text += " = " + mistake.value;
    text += ": ";
  }
  return text + mistake.problem;
}

AlertFileResult parse_alerts(std::string_view toml, const std::string& file) noexcept {
  return AlertReader(file).read(toml);
}

AlertFileResult load_alerts(const std::string& path) noexcept {
  std::string text;
  if (const int error = read_file(path, text); error != 0) {
    AlertFileResult result;
    result.mistakes.push_back(
        {path, 0, "", "", "the file cannot be read: " + std::string(std::strerror(error))});
    return result;
  }
  return parse_alerts(text, path);
}

}  // namespace numaheap::stats

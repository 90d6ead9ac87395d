#include "target_program.hpp"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

namespace numaheap::cli {

namespace {

#if defined(__x86_64__)
constexpr unsigned kOurMachine = EM_X86_64;
constexpr const char* kOurMachineName = "64-bit x86-64";
#elif defined(__aarch64__)
constexpr unsigned kOurMachine = EM_AARCH64;
constexpr const char* kOurMachineName = "64-bit aarch64";
#endif
constexpr int kMaxInterpreters = 5;  // as the kernel follows scripts

/// An open file and what it begins with.
class Program {
 public:
  explicit Program(const std::string& path) : file_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (file_ >= 0) is_read_ = fstat(file_, &status_) == 0;
  }
  ~Program() {
    if (file_ >= 0) close(file_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] bool is_open() const { return is_read_; }
  [[nodiscard]] const struct stat& status() const { return status_; }
  [[nodiscard]] int descriptor() const { return file_; }

  [[nodiscard]] bool read(void* out, size_t bytes, uint64_t offset) const {
    return pread(file_, out, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
  }
  [[nodiscard]] std::string read_text(size_t most, uint64_t offset) const {
    std::string text(most, '\0');
    const ssize_t count = pread(file_, text.data(), most, static_cast<off_t>(offset));
    text.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return text;
  }

 private:
  int file_;
  bool is_read_ = false;
  struct stat status_ = {};
};

Refusal cannot_run(const std::string& path, const std::string& why) {
  return {kCannotRun, path + ' ' + why};
}

/// The kernel runs such a program in secure mode (AT_SECURE), where the dynamic linker drops LD_PRELOAD.
std::optional<Refusal> check_privileges(const std::string& path, const Program& program) {
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return std::nullopt;
  struct statvfs mount = {};
  if (fstatvfs(program.descriptor(), &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0)
    return std::nullopt;
  const struct stat& file = program.status();
  const char* why = nullptr;
  if ((file.st_mode & S_ISUID) != 0 && file.st_uid != getuid()) why = "is setuid";
  if ((file.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && file.st_gid != getgid())
    why = "is setgid";
  if (getuid() != 0 && fgetxattr(program.descriptor(), "security.capability", nullptr, 0) > 0) {
    why = "has file capabilities";
  }
  if (why == nullptr) return std::nullopt;
  return cannot_run(
      path, fmt::format(
                "{}: the dynamic linker ignores LD_PRELOAD in programs that gain privileges", why));
}

std::string machine_name(const Elf64_Ehdr& header) {
  const char* bits = header.e_ident[EI_CLASS] == ELFCLASS32 ? "32-bit" : "64-bit";
  switch (header.e_machine) {
    case EM_386:
      return fmt::format("{} x86", bits);
    case EM_X86_64:
      return fmt::format("{} x86-64", bits);
    case EM_ARM:
      return fmt::format("{} arm", bits);
    case EM_AARCH64:
      return fmt::format("{} aarch64", bits);
    default:
      return fmt::format("{} machine {}", bits, header.e_machine);
  }
}

std::optional<Refusal> check_elf(const std::string& path, const Program& program,
                                 const Elf64_Ehdr& header) {
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kOurMachine) {
    return cannot_run(path, fmt::format("is a program for {}; numaheap is for {}",
                                        machine_name(header), kOurMachineName));
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
    return cannot_run(path, "is an ELF file but not a program");
  std::string loader;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!program.read(&segment, sizeof segment,
                      header.e_phoff + uint64_t{i} * header.e_phentsize)) {
      return cannot_run(path, "is a damaged ELF file: its program headers cannot be read");
    }
    if (segment.p_type == PT_INTERP)
      loader = program.read_text(segment.p_filesz, segment.p_offset).c_str();
  }
  if (loader.empty()) {
    return cannot_run(
        path, fmt::format(
                  "is statically linked{}: it has no dynamic linker that could load numaheap; link "
                  "it with libnumaheap instead",
                  header.e_type == ET_DYN ? ", or a library" : ""));
  }
  if (loader.find("ld-musl") != std::string::npos) {
    return cannot_run(path, fmt::format("is linked with musl ({}); numaheap needs glibc", loader));
  }
  if (access(loader.c_str(), X_OK) != 0) {
    return cannot_run(path, fmt::format("wants the dynamic linker {}, which is not there", loader));
  }
  return check_privileges(path, program);
}

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  while (true) {
    const size_t start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos) return words;
    line.remove_prefix(start);
    const size_t end = line.find_first_of(" \t");
    words.emplace_back(line.substr(0, end));
    line.remove_prefix(words.back().size());
  }
}

/// The file that a script's first line runs: its interpreter, or what env(1) will find for it. Empty: none is named.
std::string interpreter_of(std::string_view first_line) {
  const std::vector<std::string> words = words_of(first_line);
  if (words.empty()) return "";
  if (!words[0].ends_with("/env")) return words[0];
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i].starts_with('-') || words[i].find('=') != std::string::npos) continue;
    std::string path;
    if (!find_command(words[i], path)) return path;
    break;  // env(1) will say so
  }
  return words[0];
}

std::optional<Refusal> check_program(const std::string& path, int depth) {
  const Program program(path);
  if (!program.is_open()) {
    if (errno == EACCES) return std::nullopt;  // may be run, though not read
    return Refusal{kNoSuchCommand,
                   errno == ENOENT ? "there is no " + path : path + ": " + std::strerror(errno)};
  }
  const std::string start = program.read_text(256, 0);
  Elf64_Ehdr header = {};
  if (start.starts_with(ELFMAG) && program.read(&header, sizeof header, 0))
    return check_elf(path, program, header);
  if (!start.starts_with("#!"))
    return cannot_run(path, "is neither an ELF program nor a script that begins with #!");
  const std::string interpreter =
      interpreter_of(std::string_view(start).substr(2, start.find('\n') - 2));
  if (interpreter.empty()) return cannot_run(path, "is a script that names no interpreter");
  if (depth == kMaxInterpreters)
    return cannot_run(path, "has too many interpreters of interpreters");
  std::optional<Refusal> refusal = check_program(interpreter, depth + 1);
  if (refusal)
    refusal = Refusal{kCannotRun, fmt::format("{} is a script, and {}", path, refusal->sentence)};
  return refusal;
}

}  // namespace

std::optional<Refusal> find_command(const std::string& command, std::string& path) {
  const auto is_program = [](const std::string& file) {
    struct stat status = {};
    return stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
           access(file.c_str(), X_OK) == 0;
  };
  const auto exists = [](const std::string& file) { return access(file.c_str(), F_OK) == 0; };
  if (command.find('/') != std::string::npos) {
    path = command;
    if (is_program(path)) return std::nullopt;
    if (exists(path)) return Refusal{kCannotRun, path + " is not an executable file"};
    return Refusal{kNoSuchCommand, "there is no " + path};
  }
  const char* search = std::getenv("PATH");
  std::string_view folders = search != nullptr ? search : "/bin:/usr/bin";
  std::string not_executable;
  while (!command.empty()) {
    const size_t end = folders.find(':');
    const std::string folder(folders.substr(0, end));
    path = (folder.empty() ? "." : folder) + '/' + command;
    if (is_program(path)) return std::nullopt;
    if (exists(path) && not_executable.empty()) not_executable = path;
    if (end == std::string_view::npos) break;
    folders.remove_prefix(end + 1);
  }
  if (!not_executable.empty())
    return Refusal{kCannotRun, not_executable + " is not an executable file"};
  return Refusal{kNoSuchCommand, fmt::format("there is no command \"{}\" in PATH", command)};
}

std::optional<Refusal> check_program(const std::string& path) { return check_program(path, 0); }

}  // namespace numaheap::cli

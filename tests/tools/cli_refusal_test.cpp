/// \file
/// Programs that LD_PRELOAD does not reach are refused with a word, instead of running without the heap.

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "child_process.hpp"
#include "skip.hpp"

namespace numaheap::tests {
namespace {

constexpr uid_t kNobody = 65534;

/// A folder of programs, and the command beside them, which anybody may read.
class NumaheapRunRefuses : public testing::Test {
 protected:
  NumaheapRunRefuses() { chmod(directory_.path().c_str(), 0755); }

  [[nodiscard]] std::string file(const std::string& name) const { return directory_ / name; }

  static Finished start(const Command& command, const Variables& variables = {}) {
    Command arguments = {NUMAHEAP_COMMAND, "run", "--"};
    arguments.insert(arguments.end(), command.begin(), command.end());
    Variables all = variables;
    all["NUMAHEAP_PRELOAD"] = NUMAHEAP_TEST_OBJECT;
    return run(arguments, all);
  }

  /// What is said instead of running the program.
  static std::string refused(const std::string& program, int status = 126) {
    const Finished finished = start({program});
    EXPECT_EQ(finished.status, status) << finished.err;
    return finished.err;
  }

  std::string script(const std::string& name, const std::string& text) const {
    write_file(file(name), text);
    chmod(file(name).c_str(), 0755);
    return file(name);
  }

  /// \returns false if there is no such compiler, or it cannot.
  bool compile(const std::string& name, const Command& compiler) const {
    if (!find_program(compiler[0])) return false;
    write_file(file("main.c"), "int main(void) { return 7; }\n");
    Command command = compiler;
    command.insert(command.end(), {file("main.c"), "-o", file(name)});
    return run(command).status == 0;
  }

  /// A copy of a program of this system, with its ELF header changed.
  template <class Change>
  std::string changed_copy(const std::string& name, Change change) const {
    EXPECT_EQ(run({"cp", "/bin/true", file(name)}).status, 0);
    const int copy = open(file(name).c_str(), O_RDWR | O_CLOEXEC);
    Elf64_Ehdr header = {};
    EXPECT_EQ(pread(copy, &header, sizeof header, 0), static_cast<ssize_t>(sizeof header));
    change(header);
    EXPECT_EQ(pwrite(copy, &header, sizeof header, 0), static_cast<ssize_t>(sizeof header));
    close(copy);
    return file(name);
  }

  TemporaryDirectory directory_;
};

TEST_F(NumaheapRunRefuses, WhatIsNotThere) {
  EXPECT_EQ(refused("numaheap-no-such-command", 127),
            "numaheap run: there is no command \"numaheap-no-such-command\" in PATH\n");
  EXPECT_EQ(refused("/nowhere/program", 127), "numaheap run: there is no /nowhere/program\n");
  EXPECT_EQ(refused("", 127), "numaheap run: there is no command \"\" in PATH\n");
}

TEST_F(NumaheapRunRefuses, WhatIsNotExecutable) {
  write_file(file("text"), "hello\n");
  EXPECT_EQ(refused(file("text")),
            "numaheap run: " + file("text") + " is not an executable file\n");
  EXPECT_EQ(refused(directory_.path()),
            "numaheap run: " + directory_.path() + " is not an executable file\n");
  const Finished in_path = start({"text"}, {{"PATH", directory_.path()}});
  EXPECT_EQ(in_path.status, 126);
  EXPECT_EQ(in_path.err, "numaheap run: " + file("text") + " is not an executable file\n");
}

TEST_F(NumaheapRunRefuses, WhatIsNoProgram) {
  EXPECT_EQ(refused(script("text", "echo hello\n")),
            "numaheap run: " + file("text") +
                " is neither an ELF program nor a script that begins with #!\n");
  EXPECT_EQ(refused(script("empty", "")),
            "numaheap run: " + file("empty") +
                " is neither an ELF program nor a script that begins with #!\n");
  if (!compile("object", {"cc", "-c"})) NH_SKIP("there is no C compiler");
  chmod(file("object").c_str(), 0755);
  EXPECT_EQ(refused(file("object")),
            "numaheap run: " + file("object") + " is an ELF file but not a program\n");
}

TEST_F(NumaheapRunRefuses, StaticPrograms) {
  const std::string end =
      ": it has no dynamic linker that could load numaheap; link it with libnumaheap instead\n";
  if (!compile("static", {"cc", "-static"})) NH_SKIP("no static C library to link with");
  EXPECT_EQ(refused(file("static")),
            "numaheap run: " + file("static") + " is statically linked" + end);
  if (!compile("static_pie", {"cc", "-static-pie"})) NH_SKIP("no static PIE can be linked");
  EXPECT_EQ(refused(file("static_pie")),
            "numaheap run: " + file("static_pie") + " is statically linked, or a library" + end);
}

TEST_F(NumaheapRunRefuses, ProgramsOfMusl) {
  if (!compile("musl", {"musl-gcc"})) NH_SKIP("there is no musl-gcc");
  EXPECT_EQ(refused(file("musl")),
            "numaheap run: " + file("musl") +
                " is linked with musl (/lib/ld-musl-x86_64.so.1); numaheap needs glibc\n");
}

TEST_F(NumaheapRunRefuses, ProgramsOfOtherMachines) {
  const std::string arm =
      changed_copy("arm", [](Elf64_Ehdr& header) { header.e_machine = EM_AARCH64; });
  EXPECT_EQ(refused(arm), "numaheap run: " + arm +
                              " is a program for 64-bit aarch64; numaheap is for 64-bit x86-64\n");
  const std::string small = changed_copy("small", [](Elf64_Ehdr& header) {
    header.e_ident[EI_CLASS] = ELFCLASS32;
    header.e_machine = EM_386;
  });
  EXPECT_EQ(refused(small), "numaheap run: " + small +
                                " is a program for 32-bit x86; numaheap is for 64-bit x86-64\n");
}

TEST_F(NumaheapRunRefuses, DamagedPrograms) {
  const std::string damaged =
      changed_copy("damaged", [](Elf64_Ehdr& header) { header.e_phoff = uint64_t{1} << 40; });
  EXPECT_EQ(refused(damaged), "numaheap run: " + damaged +
                                  " is a damaged ELF file: its program headers cannot be read\n");
}

TEST_F(NumaheapRunRefuses, ScriptsWhoseInterpreterIsOneOfThese) {
  EXPECT_EQ(refused(script("none", "#!/nowhere/sh\n")),
            "numaheap run: " + file("none") + " is a script, and there is no /nowhere/sh\n");
  EXPECT_EQ(refused(script("nameless", "#! \n")),
            "numaheap run: " + file("nameless") + " is a script that names no interpreter\n");
  const std::string loop = refused(script("loop", "#!" + file("loop") + "\n"));
  EXPECT_NE(loop.find("has too many interpreters of interpreters"), std::string::npos) << loop;
  if (!compile("static", {"cc", "-static"})) NH_SKIP("no static C library to link with");
  const std::string by_static = refused(script("by_static", "#!" + file("static") + "\n"));
  EXPECT_EQ(by_static.find("numaheap run: " + file("by_static") + " is a script, and " +
                           file("static") + " is statically linked"),
            0u)
      << by_static;
  script("by_env", "#!/usr/bin/env static\n");
  const Finished by_env = start({file("by_env")}, {{"PATH", directory_.path() + ":/usr/bin:/bin"}});
  EXPECT_EQ(by_env.status, 126);
  EXPECT_NE(by_env.err.find(file("static") + " is statically linked"), std::string::npos)
      << by_env.err;
}

TEST_F(NumaheapRunRefuses, NoScriptOfAnOrdinaryInterpreter) {
  const Finished by_shell = start({script("by_shell", "#! /bin/sh -e\necho shell $1\n"), "x"});
  EXPECT_EQ(by_shell.out, "shell x\n") << by_shell.err;
  const Finished by_env = start({script("by_env", "#!/usr/bin/env -S sh -e\necho env $1\n"), "y"});
  EXPECT_EQ(by_env.out, "env y\n") << by_env.err;
}

TEST_F(NumaheapRunRefuses, SetuidAndSetgidProgramsOfOthers) {
  if (getuid() != 0) NH_SKIP("only root can make a setuid program of somebody else");
  struct statvfs mount = {};
  ASSERT_EQ(statvfs(directory_.path().c_str(), &mount), 0);
  if ((mount.f_flag & ST_NOSUID) != 0) NH_SKIP("the folder for temporary files is mounted nosuid");
  const std::string end =
      ": the dynamic linker ignores LD_PRELOAD in programs that gain privileges\n";
  const std::string program = changed_copy("program", [](Elf64_Ehdr&) {});
  ASSERT_EQ(chown(program.c_str(), kNobody, kNobody), 0);
  ASSERT_EQ(chmod(program.c_str(), 04755), 0);
  EXPECT_EQ(refused(program), "numaheap run: " + program + " is setuid" + end);
  ASSERT_EQ(chmod(program.c_str(), 02755), 0);
  EXPECT_EQ(refused(program), "numaheap run: " + program + " is setgid" + end);
  ASSERT_EQ(chmod(program.c_str(), 02745), 0);
  EXPECT_EQ(start({program}).status, 0) << "without the group's x it means something else";
  ASSERT_EQ(chown(program.c_str(), 0, 0), 0);
  ASSERT_EQ(chmod(program.c_str(), 04755), 0);
  EXPECT_EQ(start({program}).status, 0) << "who runs as its owner gains nothing";
}

TEST_F(NumaheapRunRefuses, ProgramsWithFileCapabilities) {
  if (getuid() != 0 || !find_program("setpriv"))
    NH_SKIP("only root can give a file capabilities, and setpriv(1) runs as another");
  const std::string program = changed_copy("program", [](Elf64_Ehdr&) {});
  chmod(program.c_str(), 0755);
  // linux/capability.h, version 2: CAP_NET_RAW permitted and effective.
  const uint32_t capabilities[] = {0x02000001, 1u << 13, 0, 0, 0};
  if (setxattr(program.c_str(), "security.capability", capabilities, sizeof capabilities, 0) != 0) {
    NH_SKIP("the file system keeps no capabilities");
  }
  EXPECT_EQ(start({program}).status, 0) << "root gains nothing";
  for (const char* name : {NUMAHEAP_COMMAND, NUMAHEAP_TEST_OBJECT}) {
    const std::string copy = file(name == std::string(NUMAHEAP_COMMAND) ? "numaheap" : "object.so");
    ASSERT_EQ(run({"cp", name, copy}).status, 0);
    chmod(copy.c_str(), 0755);
  }
  const Finished finished =
      run({"setpriv", "--reuid=65534", "--clear-groups", file("numaheap"), "run", "--", program},
          {{"NUMAHEAP_PRELOAD", file("object.so")}});
  EXPECT_EQ(finished.status, 126);
  EXPECT_EQ(
      finished.err,
      "numaheap run: " + program +
          " has file capabilities: the dynamic linker ignores LD_PRELOAD in programs that gain "
          "privileges\n");
}

}  // namespace
}  // namespace numaheap::tests

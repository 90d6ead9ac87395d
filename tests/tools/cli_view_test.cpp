// The commands that look at running processes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "child_process.hpp"
#include "published.hpp"
#include "skip.hpp"

namespace numaheap::tests {
namespace {

Finished numaheap_command(Command arguments) {
  arguments.insert(arguments.begin(), NUMAHEAP_COMMAND);
  return run(arguments);
}

void expect_refusal(const Command& arguments, int status, const std::string& sentence) {
  const Finished finished = numaheap_command(arguments);
  EXPECT_EQ(finished.status, status) << finished.err;
  EXPECT_EQ(finished.out, "");
  EXPECT_NE(finished.err.find(sentence), std::string::npos) << finished.err;
}

TEST(NumaheapInfo, ShowsWhatTheProcessHolds) {
  const Published process;
  for (const std::string& who : {process.pid(), Published::name()}) {
    const Finished info = numaheap_command({"info", who});
    EXPECT_EQ(info.status, 0) << info.err;
    EXPECT_EQ(info.out.substr(0, 9), "# Memory\n");
    EXPECT_GE(number_after(info.out, "used_memory"), 100 * 100'000);
    EXPECT_LT(number_after(info.out, "used_memory"), 100 * 200'000);
    EXPECT_GT(number_after(info.out, "used_memory_rss"), 100 * 100'000);
  }
}

TEST(NumaheapStats, PrintsWhatIsPublishedInEveryFormat) {
  const Published process;
  const Finished table = numaheap_command({"stats", process.pid()});
  EXPECT_EQ(table.status, 0) << table.err;
  EXPECT_EQ(table.out.find("Published "), 0u);
  EXPECT_NE(table.out.find("\nlive "), std::string::npos) << table.out;
  EXPECT_NE(table.out.find("not available"), std::string::npos) << table.out;
  const auto json =
      nlohmann::json::parse(numaheap_command({"stats", process.pid(), "--format", "json"}).out);
  int64_t live = 0;
  for (const auto& sample : json["samples"])
    if (sample["name"] == "numaheap_live_bytes") live += sample["value"].get<int64_t>();
  EXPECT_GE(live, 100 * 100'000);
  for (const auto& [format, line] : {std::pair{"openmetrics", "# TYPE numaheap_live_bytes gauge"},
                                     {"prometheus", "# TYPE redis_memory_used_bytes gauge"},
                                     {"memory-stats", "total.allocated:"}}) {
    const Finished text = numaheap_command({"stats", process.pid(), "--format", format});
    EXPECT_EQ(text.status, 0) << text.err;
    EXPECT_NE(text.out.find(line), std::string::npos) << format;
  }
  expect_refusal({"stats", process.pid(), "--format", "xml"}, 2, "accepted are table, json");
}

TEST(NumaheapTop, ShowsNodesClassesAndRatesFrameByFrame) {
  const Published process(Variables{{"NUMAHEAP_BACKGROUND", "on"}});
  const Finished top =
      numaheap_command({"top", process.pid(), "--batch", "--frames", "2", "--seconds", "0.2"});
  EXPECT_EQ(top.status, 0) << top.err;
  for (const char* part :
       {"live ", "cached by threads", "spilled to here", "live blocks", " B/s"}) {
    EXPECT_NE(top.out.find(part), std::string::npos) << part << " in\n" << top.out;
  }
  const size_t second = top.out.find("published ", top.out.find("published ") + 1);
  EXPECT_NE(second, std::string::npos);
  const Finished rates = numaheap_command({"top", process.pid(), "-b", "-n", "1"});
  EXPECT_EQ(rates.out.find("B/s"), std::string::npos)
      << "a first frame has nothing to compare with";
}

TEST(NumaheapTop, FillsATerminalAndEndsByAKey) {
  if (!find_program("script")) NH_SKIP("script(1) is not installed");
  const Published process;
  const Finished top = run({"script", "--quiet", "--return", "--command",
                            NUMAHEAP_COMMAND " top " + process.pid() + " -d 0.1", "/dev/null"},
                           {{"TERM", "xterm"}}, "qqqqqq");
  EXPECT_EQ(top.status, 0) << top.out << top.err;
  EXPECT_NE(top.out.find("live"), std::string::npos) << top.out;
  EXPECT_NE(top.out.find("\x1b["), std::string::npos);
}

TEST(NumaheapTop, EndsWithTheProcessAndSaysSo) {
  Published process;
  const TemporaryDirectory directory;
  ChildProcess top({NUMAHEAP_COMMAND, "top", process.pid(), "--batch", "--seconds", "0.1"}, {},
                   directory / "log");
  EXPECT_TRUE(wait_until([&] { return top.log().find("live") != std::string::npos; }));
  process.stop();
  EXPECT_TRUE(wait_until([&] { return !top.is_running(); }));
  EXPECT_NE(top.log().find("the process has ended"), std::string::npos) << top.log();
  EXPECT_EQ(top.stop(), 2);
}

TEST(NumaheapTop, RefusesWhatItCannotDo) {
  const Published process;
  expect_refusal({"top", process.pid()}, 2, "a full screen needs a terminal");
  expect_refusal({"top", process.pid(), "-b", "-d", "0"}, 2, "0.1 to 3600");
  expect_refusal({"top", "4194303", "-b"}, 2, "there is no such process");
}

TEST(NumaheapDoctor, SaysWhatItFindsAndWhatItCouldNotExamine) {
  const Published process;
  const Finished fine =
      numaheap_command({"doctor", process.pid(), "--set", "high-rss=off big-peak=off"});
  EXPECT_NE(fine.out.find("not examined: scripts"), std::string::npos) << fine.out << fine.err;
  EXPECT_NE(fine.out.find("high-rss: it is switched off"), std::string::npos) << fine.out;
  const Finished found =
      numaheap_command({"doctor", process.pid(), "--set", "high-rss=0.1 high-rss.bytes=0", "--json",
                        "--seconds", "1"});
  EXPECT_EQ(found.status, 1) << found.err;
  const auto diagnosis = nlohmann::json::parse(found.out);
  const auto rule = std::find_if(diagnosis["rules"].begin(), diagnosis["rules"].end(),
                                 [](const auto& any) { return any["id"] == "high-rss"; });
  ASSERT_NE(rule, diagnosis["rules"].end());
  EXPECT_EQ((*rule)["verdict"], "found");
  EXPECT_GE((*rule)["held_seconds"].get<double>(), 1.0) << *rule;
  expect_refusal({"doctor", process.pid(), "--set", "gurk=1"}, 2, "there is no rule \"gurk\"");
  expect_refusal({"doctor", "4194303"}, 2, "there is no such process");
}

TEST(NumaheapInfo, RefusesWhatItCannotSeeAndSaysWhy) {
  expect_refusal({"info"}, 2, "PROCESS is required");
  expect_refusal({"info", "4194303"}, 2, "process 4194303: there is no such process");
  expect_refusal({"info", "no such name"}, 2, "there is no process of the name \"no such name\"");
  expect_refusal({"info", std::to_string(getpid())}, 2, "it publishes nothing");
  const Published unseen({{"NUMAHEAP_PUBLISH_MS", "0"}}, "unseen");
  expect_refusal({"info", unseen.pid()}, 2, "NUMAHEAP_PUBLISH_MS=0");
}

TEST(NumaheapInfo, AsksWhichOfSeveralOfOneName) {
  const Published one;
  const Published two;
  expect_refusal({"info", Published::name()}, 2, "2 processes of the name");
  EXPECT_EQ(numaheap_command({"info", two.pid()}).status, 0);
}

TEST(NumaheapInfo, AnotherUsersProcessIsNotShown) {
  if (getuid() != 0 || !find_program("setpriv")) NH_SKIP("needs root and setpriv(1)");
  const Published process;
  const Finished seen = run({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                             NUMAHEAP_COMMAND, "info", process.pid()});
  if (seen.err.find("numaheap info") == std::string::npos) NH_SKIP("nobody cannot run the command");
  EXPECT_EQ(seen.status, 125) << seen.err;
  EXPECT_NE(seen.err.find("ptrace access check"), std::string::npos) << seen.err;
}

}  // namespace
}  // namespace numaheap::tests

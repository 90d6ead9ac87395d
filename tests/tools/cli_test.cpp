#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "child_process.hpp"

namespace numaheap::tests {
namespace {

using nlohmann::json;

const std::string kData = NUMAHEAP_TEST_DATA;

/// Runs the command with a preload object that does nothing.
Finished numaheap_command(const Command& arguments, Variables variables = {}) {
  Command command = {NUMAHEAP_COMMAND};
  command.insert(command.end(), arguments.begin(), arguments.end());
  variables.try_emplace("NUMAHEAP_PRELOAD", NUMAHEAP_TEST_OBJECT);
  return run(command, variables);
}

std::string refusal(const Command& arguments, int status) {
  const Finished finished = numaheap_command(arguments);
  EXPECT_EQ(finished.status, status) << finished.out << finished.err;
  EXPECT_EQ(finished.out, "");
  return finished.err;
}

TEST(Numaheap, TellsItsVersion) {
  const Finished finished = numaheap_command({"--version"});
  EXPECT_EQ(finished.status, 0);
  EXPECT_EQ(finished.out, "numaheap " NUMAHEAP_VERSION "\n");
}

TEST(Numaheap, RefusesWordsThatItDoesNotKnow) {
  EXPECT_EQ(
      refusal({"gurk"}, 2),
      "numaheap: there is no subcommand \"gurk\"; accepted are doctor, export, info, run, stats, "
      "top and topo\n");
  EXPECT_EQ(refusal({}, 2),
            "numaheap: A subcommand is required\nRun with --help for more information.\n");
  EXPECT_EQ(refusal({"topo", "--gurk"}, 2),
            "numaheap: The following argument was not expected: --gurk\nRun with --help for more "
            "information.\n");
  EXPECT_EQ(refusal({"run", "--gurk", "--", "true"}, 2),
            "numaheap run: there is no option --gurk; --help lists them\n");
  EXPECT_EQ(refusal({"run"}, 2),
            "numaheap run: there is no command; accepted are numaheap run [OPTIONS] -- COMMAND "
            "[ARGUMENTS]\n");
  EXPECT_EQ(refusal({"run", "--json", "--", "true"}, 2),
            "numaheap run: --json goes with --explain or --help-settings\n");
}

TEST(Numaheap, ShowsItsHelp) {
  const Finished finished = numaheap_command({"run", "--help"});
  EXPECT_EQ(finished.status, 0);
  for (const char* option :
       {"--config FILE", "--bind LOCATION", "--explain", "--json", "--no-children",
        "--help-settings", "--set NAME=VALUE", "COMMAND [ARGUMENTS]", "Exit status"}) {
    EXPECT_NE(finished.out.find(option), std::string::npos) << option;
  }
}

TEST(NumaheapTopo, ShowsNodesDistancesAndFirmwareFigures) {
  const Finished finished =
      numaheap_command({"topo", "--source", "xml:" + kData + "/memory_only_node_with_hmat.xml"});
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(finished.out, "Topology: xml:" + kData + R"(/memory_only_node_with_hmat.xml

node  numa:K  CPUs                       memory
   0       0  0-1                       339 MiB
   1       2  2-3                       377 MiB
   2       1  none                      377 MiB

Distances (SLIT, 10 is local)
  from \ to       0       1       2
          0      10      21      31
          1      21      10      31
          2      31      31      10

Bandwidth by the firmware (HMAT), MiB/s
  from \ to       0       1       2
          0  102400       -   32768
          1       -  102400       -

Latency by the firmware (HMAT), ns
  from \ to       0       1       2
          0     100       -     310
          1       -     100       -

Missing
  Node 2 has no CPUs of its own: no thread is at home there.
  Bandwidth and latency are known for 3 of 6 pairs of CPUs and memory: Linux shows the firmware's values for a node's nearest CPUs only.
)");
}

TEST(NumaheapTopo, MarksKindsOfMemoryAndWhatIsNotAllowed) {
  EXPECT_NE(numaheap_command({"topo", "--source", "xml:" + kData + "/high_bandwidth_nodes.xml"})
                .out.find("   1       1  none                      1.0 GiB  HBM\n"),
            std::string::npos);
  EXPECT_NE(numaheap_command({"topo", "--source", "xml:" + kData + "/restricted_by_cgroup.xml"})
                .out.find("   2       2  4-5                       1.0 GiB  not allowed\n"),
            std::string::npos);
}

TEST(NumaheapTopo, PrintsTheSameAsJson) {
  const Finished finished = numaheap_command(
      {"topo", "--json", "--source", "xml:" + kData + "/memory_only_node_with_hmat.xml"});
  const json topology = json::parse(finished.out);
  EXPECT_EQ(topology["is_this_system"], false);
  EXPECT_EQ(topology["online_cpus"], "0-3");
  EXPECT_EQ(topology["offline_cpus"], "");
  EXPECT_EQ(topology["usable_nodes"], "0-2");
  ASSERT_EQ(topology["nodes"].size(), 3u);
  const json& far = topology["nodes"][2];
  EXPECT_EQ(far["node"], 2);
  EXPECT_EQ(far["location"], "numa:1");
  EXPECT_EQ(far["kind"], nullptr);
  EXPECT_EQ(far["cpus"], "");
  EXPECT_EQ(far["memory_bytes"], 396017664);
  EXPECT_EQ(far["distances"], (json{{"0", 31}, {"1", 31}, {"2", 10}}));
  EXPECT_EQ(far["seen_from"],
            json::parse(R"([{"node": 0, "bandwidth_mib_per_s": 32768, "latency_ns": 310}])"));
  EXPECT_EQ(topology["missing"].size(), 2u);
}

TEST(NumaheapTopo, ShowsThisMachineIfNotAskedForAnother) {
  const Finished finished = numaheap_command({"topo", "--json"});
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(json::parse(finished.out)["source"], "live");
  EXPECT_GE(json::parse(finished.out)["nodes"].size(), 1u);
}

TEST(NumaheapTopo, RefusesASourceThatIsNone) {
  EXPECT_EQ(refusal({"topo", "--source", "xml:/nowhere.xml"}, 2),
            "numaheap topo: --source \"xml:/nowhere.xml\": there is no such file\n");
  EXPECT_EQ(refusal({"topo", "--source", "socket:2"}, 2),
            "numaheap topo: --source \"socket:2\": accepted are \"live\", \"xml:PATH\" and a "
            "synthetic topology of "
            "hwloc such as \"numa:4 core:2 pu:1\"\n");
}

TEST(NumaheapRun, BecomesTheCommandWithItsArgumentsAndStatus) {
  const Finished finished =
      numaheap_command({"run", "--", "sh", "-c", "echo \"$0 $1\"; exit 37", "--explain", "--"});
  EXPECT_EQ(finished.status, 37);
  EXPECT_EQ(finished.out, "--explain --\n");
  EXPECT_EQ(finished.err, "");
  EXPECT_EQ(numaheap_command({"run", "echo", "--json", "--", "x"}).out, "--json -- x\n")
      << "the dashes may be left out";
}

TEST(NumaheapRun, PutsTheObjectInFrontOfWhatIsPreloadedAlready) {
  const std::string object = NUMAHEAP_TEST_OBJECT;
  const auto preloaded_after = [](const std::string& before) {
    // A command that is built with ASan wants its runtime in front.
    return numaheap_command({"run", "--", "sh", "-c", "echo $LD_PRELOAD"},
                            {{"LD_PRELOAD", before}, {"ASAN_OPTIONS", "verify_asan_link_order=0"}})
        .out;
  };
  EXPECT_EQ(preloaded_after(""), object + "\n");
  EXPECT_EQ(preloaded_after("libm.so.6"), object + ":libm.so.6\n");
  EXPECT_EQ(preloaded_after(object + ":libm.so.6"), object + ":libm.so.6\n");
}

TEST(NumaheapRun, SetsWhatItIsTold) {
  const Finished finished = numaheap_command(
      {"run", "--set", "MISUSE=abort", "--set", "NUMAHEAP_BACKEND=system", "--no-children", "--",
       "sh", "-c",
       "echo $NUMAHEAP_MISUSE $NUMAHEAP_BACKEND $NUMAHEAP_NO_CHILDREN \"$NUMAHEAP_ROLES\""});
  EXPECT_EQ(finished.out, "abort system 1 \n") << finished.err;
}

TEST(NumaheapRun, RefusesSettingsThatTheHeapWouldNotTake) {
  EXPECT_EQ(refusal({"run", "--set", "BACKEND=mimalloc", "--", "true"}, 2),
            "numaheap run: --set BACKEND=mimalloc: accepted are numa or system\n");
  EXPECT_EQ(refusal({"run", "--set", "BACKEND", "--", "true"}, 2),
            "numaheap run: --set BACKEND: accepted are NAME=VALUE; --help-settings lists them\n");
  const std::string unknown = refusal({"run", "--set", "BACKENDS=numa", "--", "true"}, 2);
  EXPECT_EQ(
      unknown.find(
          "numaheap run: --set BACKENDS=numa: there is no such setting; accepted are BACKEND, "),
      0u)
      << unknown;
}

TEST(NumaheapRun, ListsTheSettingsWithUnitDefaultAndRange) {
  const Finished text = numaheap_command({"run", "--help-settings"});
  EXPECT_EQ(text.status, 0);
  EXPECT_NE(text.out.find(
                "NUMAHEAP_BACKEND\n  unit     word\n  default  numa\n  range    numa or system\n"),
            std::string::npos)
      << text.out;
  const json list = json::parse(numaheap_command({"run", "--help-settings", "--json"}).out);
  ASSERT_GT(list.size(), 3u);
  for (const json& setting : list) {
    for (const char* key : {"name", "unit", "default", "range", "help"})
      EXPECT_NE(setting[key], "") << setting;
  }
}

TEST(NumaheapRun, HandsOverWhereDefaultIsBound) {
  const Finished finished =
      numaheap_command({"run", "--bind", "all", "--", "sh", "-c", "echo $NUMAHEAP_ROLES"});
  const json topology = json::parse(numaheap_command({"topo", "--json"}).out);
  EXPECT_EQ(finished.out, "1;default||" + topology["allowed_cpus"].get<std::string>() + "|local:" +
                              topology["usable_nodes"].get<std::string>() + "|nearest|0|0\n")
      << finished.err;
}

TEST(NumaheapRun, RefusesABindingThatIsNoLocation) {
  const std::string text = refusal({"run", "--bind", "numa:99", "--", "true"}, 2);
  EXPECT_EQ(text.find("numaheap run: --bind \"numa:99\": there is no numa:99 in this machine, "
                      "which has numa:0"),
            0u)
      << text;
}

TEST(NumaheapRun, ListsEveryMistakeOfARolesFile) {
  const TemporaryDirectory directory;
  const std::string file = directory / "roles.toml";
  write_file(file,
             "[topology]\nsource = 'numa:2 core:2 pu:1'\n[roles.bio]\nthread = 'bio_*'\nmemory = "
             "'node:7'\n");
  EXPECT_EQ(refusal({"run", "--config", file, "--", "true"}, 2),
            "numaheap run: " + file +
                ":4: roles.bio.thread = \"bio_*\": this is no key of a role; accepted are threads, "
                "where, memory, "
                "spill, soft_limit and hard_limit\n"
                "numaheap run: " +
                file +
                ":5: roles.bio.memory = \"node:7\": there is no such node; accepted are node:N "
                "with N in 0-1\n");
  EXPECT_EQ(refusal({"run", "--config", "/nowhere.toml", "--", "true"}, 2),
            "numaheap run: /nowhere.toml: the file cannot be read: No such file or directory\n");
}

TEST(NumaheapRun, ExplainsRolesForAnotherMachineButDoesNotRunThemHere) {
  const TemporaryDirectory directory;
  const std::string file = directory / "roles.toml";
  write_file(
      file,
      "[topology]\nsource = 'numa:900 pu:1'\n[roles.default]\nwhere = 'numa:899'\n[roles.bio]\n"
      "threads = 'bio_*'\nwhere = 'numa:898'\nmemory = 'node:2'\nspill = ['node:3']\n");
  const std::string text = refusal({"run", "--config", file, "--", "true"}, 2);
  EXPECT_EQ(text.find("numaheap run: the roles are for the topology \"numa:900 pu:1\", not for "
                      "this machine: role "
                      "default has CPUs 899, and this process may run on "),
            0u)
      << text;

  const Finished explained = numaheap_command({"run", "--config", file, "--explain"});
  EXPECT_EQ(explained.status, 0) << explained.err;
  EXPECT_NE(explained.out.find("role bio\n"
                               "  threads       bio_*\n"
                               "  CPUs          898 (numa:898)\n"
                               "  memory        node, nodes 2 (mask 0x4)\n"
                               "  spill         from node 2 to 3\n"
                               "  system call   sched_setaffinity(each thread, 898)\n"
                               "  system call   mbind(the range of node 2, MPOL_PREFERRED, 0x4)\n"),
            std::string::npos)
      << explained.out;
  EXPECT_NE(explained.out.find("refused\n  the roles are for the topology"), std::string::npos)
      << explained.out;
  EXPECT_EQ(
      refusal({"run", "--config", file, "--bind", "numa:0", "--", "true"}, 2),
      "numaheap run: --bind \"numa:0\": the role default has the location \"numa:899\" already\n");
}

TEST(NumaheapRun, ExplainsAsJsonWithoutRunningAnything) {
  const TemporaryDirectory directory;
  const std::string file = directory / "roles.toml";
  write_file(file,
             "[topology]\nsource = 'numa:2 pu:1'\n[roles.one]\nthreads = ['a', 'b*']\nsoft_limit = "
             "'1GiB'\n");
  const std::string touched = directory / "touched";
  const Finished finished =
      numaheap_command({"run", "--config", file, "--explain", "--json", "--", "touch", touched});
  ASSERT_EQ(finished.status, 0) << finished.err;
  const json explained = json::parse(finished.out);
  EXPECT_EQ(explained["topology"], "numa:2 pu:1");
  EXPECT_EQ(explained["command"], (json{"touch", touched}));
  EXPECT_EQ(explained["environment"]["NUMAHEAP_ROLES"],
            "1;default|||local:0-1|nearest|0|0;one|a,b*||local:0-1|nearest|1073741824|0");
  ASSERT_EQ(explained["roles"].size(), 2u);
  const json& one = explained["roles"][1];
  EXPECT_EQ(one["role"], "one");
  EXPECT_EQ(one["threads"], (json{"a", "b*"}));
  EXPECT_EQ(one["cpus"], "");
  EXPECT_EQ(one["memory"], "local");
  EXPECT_EQ(one["node_mask"], "0x3");
  EXPECT_EQ(one["spill"][0], (json{{"from", 0}, {"to", {1}}}));
  EXPECT_EQ(one["soft_limit_bytes"], 1073741824);
  EXPECT_EQ(read_file(touched), "");
  EXPECT_NE(run({"test", "-e", touched}).status, 0);
}

TEST(NumaheapRun, ExplainsWordsThatAreNoUnicodeAsJson) {
  const Finished finished = numaheap_command({"run", "--explain", "--json", "--", "\xff"});
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(json::parse(finished.out)["command"][0], "\uFFFD");
}

TEST(NumaheapRun, NamesThePlacesWhereItLookedForTheObject) {
  const Finished named =
      numaheap_command({"run", "--", "true"}, {{"NUMAHEAP_PRELOAD", "/nowhere/object.so"}});
  EXPECT_EQ(named.status, 125);
  EXPECT_EQ(named.err,
            "numaheap run: NUMAHEAP_PRELOAD = \"/nowhere/object.so\": No such file or directory\n");

  const TemporaryDirectory directory;
  ASSERT_EQ(run({"cp", NUMAHEAP_COMMAND, directory / "numaheap"}).status, 0);
  const Finished alone =
      run({directory / "numaheap", "run", "--", "true"}, {{"NUMAHEAP_PRELOAD", ""}});
  EXPECT_EQ(alone.status, 125);
  EXPECT_EQ(alone.err.find("numaheap run: there is no libnumaheap_preload.so; looked for " +
                           directory.path() + '/'),
            0u)
      << alone.err;

  ASSERT_EQ(run({"cp", NUMAHEAP_TEST_OBJECT, directory / "libnumaheap_preload.so"}).status, 0);
  const Finished beside = run({directory / "numaheap", "run", "--", "sh", "-c", "echo $LD_PRELOAD"},
                              {{"NUMAHEAP_PRELOAD", ""}});
  EXPECT_EQ(beside.out, directory / "libnumaheap_preload.so\n") << beside.err;

  ASSERT_EQ(run({"mkdir", directory / "a b"}).status, 0);
  ASSERT_EQ(run({"cp", NUMAHEAP_TEST_OBJECT, directory / "a b/object.so"}).status, 0);
  const Finished blank =
      numaheap_command({"run", "--", "true"}, {{"NUMAHEAP_PRELOAD", directory / "a b/object.so"}});
  EXPECT_EQ(blank.status, 125);
  EXPECT_NE(blank.err.find("cannot stand in LD_PRELOAD, which is separated by blanks and colons"),
            std::string::npos);
}

#ifdef NUMAHEAP_HAS_PRELOAD_OBJECT  // there is none under sanitizers
TEST(NumaheapRun, FindsTheRealObjectInTheBuildTree) {
  const json topology = json::parse(numaheap_command({"topo", "--json"}).out);
  const Finished finished = numaheap_command(
      {"run", "--bind", "all", "--", "grep", "Cpus_allowed_list", "/proc/self/status"},
      {{"NUMAHEAP_PRELOAD", ""}});
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(finished.out,
            "Cpus_allowed_list:\t" + topology["allowed_cpus"].get<std::string>() + "\n");
}
#endif

}  // namespace
}  // namespace numaheap::tests

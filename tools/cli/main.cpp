/// \file
/// The `numaheap` command: reads the command line; what it does is in the *_command files.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
#include <exception>

#include "export_command.hpp"
#include "measure_command.hpp"
#include "refusal.hpp"
#include "run_command.hpp"
#include "top_command.hpp"
#include "topo_command.hpp"
#include "view_command.hpp"

namespace {

using namespace numaheap::cli;

int dispatch(int argc, char** argv) {
  CLI::App app{"One heap per NUMA node, for programs as they are", "numaheap"};
  app.set_version_flag("--version", "numaheap " NUMAHEAP_VERSION);
  app.require_subcommand(1);
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return fmt::format("numaheap: {}\nRun with --help for more information.\n", error.what());
  });

  bool as_json = false;
  std::string source = "live";
  CLI::App* topo = app.add_subcommand(
      "topo", "Show nodes, CPUs, memory, distances, and what is missing and why");
  topo->add_flag("--json", as_json, "Print JSON");
  CLI::Option* elsewhere =
      topo->add_option("--source", source,
                       "live, xml:PATH, or a synthetic topology such as \"numa:4 core:2 pu:1\"")
          ->capture_default_str();
  MeasureCommand measure;
  CLI::Option* do_measure =
      topo->add_flag("--measure", measure.measure,
                     "Measure latency and bandwidth of this machine's memory, some seconds: the "
                     "tables of Intel's MLC")
          ->excludes(elsewhere);
  topo->add_flag("--full", measure.is_full, "With --measure: a second for each value")
      ->needs(do_measure);
  topo->add_option("--xml", measure.xml,
                   "With --measure: write the matrices into hwloc's XML, for --source xml:FILE")
      ->type_name("FILE")
      ->needs(do_measure);
  topo->add_flag("--selftest", measure.selftest,
                 "Move known numbers of bytes, and say how far the bandwidth meter is off")
      ->excludes(elsewhere);

  std::string who;
  CLI::App* info = app.add_subcommand(
      "info", "Print the memory section of INFO of a running process that uses numaheap");
  info->add_option("PROCESS", who, "Its pid, or its name")->required();

  std::string format = "table";
  CLI::App* stats = app.add_subcommand("stats", "Print everything that a running process tells");
  stats->add_option("PROCESS", who, "Its pid, or its name")->required();
  stats->add_option("--format", format, std::string("One of ") + kStatsFormats)
      ->capture_default_str();

  TopOptions top_options;
  CLI::App* top = app.add_subcommand("top", "Watch a running process, its nodes side by side");
  top->footer("Keys: q ends it, space holds the picture.");
  top->add_option("PROCESS", top_options.process, "Its pid, or its name")->required();
  top->add_option("-d,--seconds", top_options.seconds, "Between two pictures")
      ->capture_default_str();
  top->add_option("-n,--frames", top_options.frames, "How many; 0: until you end it")
      ->capture_default_str();
  top->add_flag("-b,--batch", top_options.batch, "Print lines instead of filling the screen");

  DoctorOptions doctor_options;
  CLI::App* doctor =
      app.add_subcommand("doctor", "Say what is wrong with a running process' memory");
  doctor->footer("Exit status: 0: nothing was found; 1: something was; 2: an option is wrong.");
  doctor->add_option("PROCESS", doctor_options.process, "Its pid, or its name")->required();
  doctor->add_option("--set", doctor_options.thresholds,
                     "Thresholds, e.g. \"big-peak=2, high-rss.bytes=100MiB, scripts=off\"");
  doctor->add_option("--seconds", doctor_options.seconds,
                     "Go on examining for so long, to tell how long something has held");
  doctor->add_flag("--json", doctor_options.as_json, "Print JSON, with what was not found, too");

  ExportOptions export_options;
  CLI::App* export_app = app.add_subcommand("export",
                                            "Serve the figures of a running process over HTTP: a "
                                            "heap map for browsers, /metrics and /json");
  export_app->footer(
      "It serves until SIGINT or SIGTERM. Exit status: 0: it was ended so; 2: an option is wrong;\n"
      "125: it may not look into the process, or cannot listen there.");
  export_app->add_option("PROCESS", export_options.process, "Its pid, or its name")->required();
  export_app->add_option("--listen", export_options.listen, "The address, in numbers")
      ->capture_default_str();
  export_app->add_option("--port", export_options.port, "0: a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  export_app->add_flag("--exit-with-process", export_options.exit_with_process,
                       "End when the process does");

  RunOptions options;
  CLI::App* run_app = app.add_subcommand("run",
                                         "Run a program on the heap, placed and pinned by its "
                                         "roles:\nnumaheap run [OPTIONS] -- COMMAND [ARGUMENTS]");
  run_app->footer(
      "Exit status: that of COMMAND; 2: an option, a setting or the roles are wrong; 125: numaheap "
      "itself failed;\n"
      "126: COMMAND cannot be run with numaheap; 127: there is no such command.");
  run_app->prefix_command();
  run_app->add_option("--config", options.config, "The roles of the program's threads, TOML")
      ->type_name("FILE");
  run_app
      ->add_option("--bind", options.bind,
                   "Where its threads run, e.g. numa:0 or \"numa:0.core:0-3\" (hwloc(7))")
      ->type_name("LOCATION");
  run_app->add_option("--set", options.settings, "Set NUMAHEAP_NAME; may be given again")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all();
  run_app->add_flag("--no-children", options.no_children,
                    "Leave the programs that it starts alone");
  run_app->add_flag("--explain", options.explain,
                    "Show what would be done and what would be refused, and do nothing");
  run_app->add_flag("--help-settings", options.help_settings,
                    "List all settings with unit, default and range");
  run_app->add_flag("--json", options.as_json, "Print JSON, with --explain and --help-settings");

  const auto is_subcommand = [&](const CLI::App* subcommand) {
    return subcommand->get_name() == argv[1];
  };
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(is_subcommand).empty()) {
    fmt::print(
        stderr,
        "numaheap: there is no subcommand \"{}\"; accepted are doctor, export, info, run, stats, "
        "top and topo\n",
        argv[1]);
    return kWrongInput;
  }
  // CLI11 hands what follows "--" to the main command, so that is kept back. Without "--", or before it, the command
  // starts at the first word that is not an option.
  char** const end = argv + argc;
  char** const dashes =
      std::find_if(argv, end, [](const char* word) { return std::strcmp(word, "--") == 0; });
  try {
    app.parse(static_cast<int>(dashes - argv), argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongInput;
  }
  if (topo->parsed() && (measure.measure || measure.selftest)) {
    measure.as_json = as_json;
    return print_measurement(measure);
  }
  if (topo->parsed()) return print_topology(source, as_json);
  if (info->parsed()) return print_info(who);
  if (stats->parsed()) return print_stats(who, format);
  if (top->parsed()) return show_top(top_options);
  if (doctor->parsed()) return print_diagnosis(doctor_options);
  if (export_app->parsed()) return export_process(export_options);
  options.command = run_app->remaining();
  const bool is_of_command = !options.command.empty();
  if (dashes != end)
    options.command.insert(options.command.end(), dashes + (is_of_command ? 0 : 1), end);
  return run(options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return dispatch(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "numaheap: {}\n", error.what());
    return kFailed;
  }
}

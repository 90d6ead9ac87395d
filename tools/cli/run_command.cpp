#include "run_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "numaheap/numa/roles.hpp"
#include "numaheap/settings.hpp"
#include "preload_object.hpp"
#include "refusal.hpp"
#include "target_program.hpp"

namespace numaheap::cli {

namespace {

using nlohmann::ordered_json;
using numa::RolePlan;

/// What is to be set in the environment of the program, in this order.
using Variables = std::vector<std::pair<std::string, std::string>>;

int refuse(const Refusal& refusal) {
  fmt::print(stderr, "numaheap run: {}\n", refusal.sentence);
  return refusal.exit_status;
}

std::optional<Refusal> read_settings(const std::vector<std::string>& texts, Variables& variables) {
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos)
      return Refusal{
          kWrongInput,
          fmt::format("--set {}: accepted are NAME=VALUE; --help-settings lists them", text)};
    std::string name = text.substr(0, equals);
    if (name.starts_with("NUMAHEAP_")) name.erase(0, std::strlen("NUMAHEAP_"));
    const std::string value = text.substr(equals + 1);
    const Status status = check_setting(name, value);
    if (!status && status.error().code == ErrorCode::kNotFound) {
      std::string names;
      for (const SettingInfo& setting : settings())
        names += (names.empty() ? "" : ", ") + std::string(setting.name);
      return Refusal{kWrongInput, fmt::format("--set {}: there is no such setting; accepted are {}",
                                              text, names)};
    }
    if (!status)
      return Refusal{kWrongInput,
                     fmt::format("--set {}: accepted are {}", text, status.error().text)};
    variables.emplace_back("NUMAHEAP_" + name, value);
  }
  return std::nullopt;
}

/// Reads the roles that --config and --bind ask for. \returns false after printing every mistake.
bool read_plan(const RunOptions& options, std::optional<RolePlan>& plan) {
  numa::RoleResult result =
      options.config.empty() ? numa::parse_roles("", "") : numa::load_roles(options.config);
  for (const numa::RoleMistake& mistake : result.mistakes)
    fmt::print(stderr, "numaheap run: {}\n", to_text(mistake));
  if (!result.plan) return false;
  if (!options.bind.empty()) {
    const std::string problem = pin_default(*result.plan, options.bind);
    if (!problem.empty()) {
      fmt::print(stderr, "numaheap run: --bind \"{}\": {}\n", options.bind, problem);
      return false;
    }
  }
  plan = std::move(result.plan);
  return true;
}

/// A plan for another machine can be explained, but not run here.
std::optional<Refusal> check_is_for_this_machine(const RolePlan& plan) {
  if (plan.topology->is_this_system()) return std::nullopt;
  const Result<numa::Topology> live = numa::Topology::load("live");
  if (!live) return Refusal{kFailed, live.error().text};
  for (const numa::Role& role : plan.roles) {
    const numa::CpuSet cpus = role.cpus - live->allowed_cpus();
    if (!cpus.empty()) {
      return Refusal{
          kWrongInput,
          fmt::format(
              "the roles are for the topology \"{}\", not for this machine: role {} has CPUs {}, "
              "and this process may run on {}; --explain shows what they come to",
              plan.topology->source(), role.name, numa::to_list(cpus),
              numa::to_list(live->allowed_cpus()))};
    }
    for (NodeId node = role.nodes.next(NodeId{0}); node != kNoNode;
         node = role.nodes.next(NodeId{node.value + 1})) {
      if (live->usable_nodes().contains(node)) continue;
      return Refusal{
          kWrongInput,
          fmt::format("the roles are for the topology \"{}\", not for this machine: role {} has "
                      "memory on node {}, "
                      "and this process may allocate on {}; --explain shows what they come to",
                      plan.topology->source(), role.name, node.value,
                      numa::to_list(live->usable_nodes()))};
    }
  }
  return std::nullopt;
}

ordered_json to_json(const numa::RoleExplanation& role) {
  ordered_json spill = ordered_json::array();
  for (const numa::SpillOrder& order : role.spill) {
    ordered_json to = ordered_json::array();
    for (NodeId node : order.to) to.push_back(node.value);
    spill.push_back({{"from", order.from.value}, {"to", std::move(to)}});
  }
  return {{"role", role.name},
          {"threads", role.threads},
          {"where", role.where},
          {"cpus", role.cpus},
          {"memory", role.memory},
          {"nodes", role.nodes},
          {"node_mask", role.node_mask},
          {"spill", std::move(spill)},
          {"soft_limit_bytes", role.soft_limit.value},
          {"hard_limit_bytes", role.hard_limit.value},
          {"system_calls", role.system_calls},
          {"refused", role.refused}};
}

/// Everything that `run` would do, and what it would refuse, without doing it.
void print_explanation(const RunOptions& options, const std::optional<RolePlan>& plan,
                       const Variables& variables, const std::optional<Refusal>& refusal) {
  const std::vector<numa::RoleExplanation> roles =
      plan ? explain(*plan) : std::vector<numa::RoleExplanation>{};
  if (options.as_json) {
    ordered_json environment = ordered_json::object();
    for (const auto& [name, value] : variables) environment[name] = value;
    ordered_json json = {
        {"topology", plan ? ordered_json(plan->topology->source()) : ordered_json(nullptr)},
        {"roles", ordered_json::array()},
        {"environment", std::move(environment)},
        {"command", options.command},
        {"refused", refusal ? ordered_json(refusal->sentence) : ordered_json(nullptr)}};
    for (const numa::RoleExplanation& role : roles) json["roles"].push_back(to_json(role));
    fmt::print("{}\n", json.dump(2, ' ', false, ordered_json::error_handler_t::replace));
    return;
  }
  if (plan) fmt::print("topology {}\n{}", plan->topology->source(), to_text(roles));
  fmt::print("environment\n");
  for (const auto& [name, value] : variables) fmt::print("  {}={}\n", name, value);
  if (refusal) fmt::print("refused\n  {}\n", refusal->sentence);
}

int print_settings(bool as_json) {
  ordered_json json = ordered_json::array();
  for (const SettingInfo& setting : settings()) {
    const std::string name = std::string("NUMAHEAP_") + setting.name;
    if (as_json) {
      json.push_back({{"name", name},
                      {"unit", setting.unit},
                      {"default", setting.default_text},
                      {"range", setting.range_text},
                      {"help", setting.help}});
    } else {
      fmt::print("{}\n  unit     {}\n  default  {}\n  range    {}\n  {}\n\n", name, setting.unit,
                 setting.default_text, setting.range_text, setting.help);
    }
  }
  if (as_json) fmt::print("{}\n", json.dump(2, ' ', false, ordered_json::error_handler_t::replace));
  return kDone;
}

/// Becomes the command. \returns why it did not.
Refusal execute(const RunOptions& options, const std::string& path, const Variables& variables) {
  for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> arguments;
  for (const std::string& argument : options.command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  execv(path.c_str(), arguments.data());
  return {kCannotRun, fmt::format("{}: {}", path, std::strerror(errno))};
}

}  // namespace

int run(const RunOptions& options) {
  if (options.help_settings) return print_settings(options.as_json);
  // What follows an option that is not known is taken for the command.
  if (!options.command.empty() && options.command[0].starts_with('-')) {
    return refuse(
        {kWrongInput, fmt::format("there is no option {}; --help lists them", options.command[0])});
  }
  if (options.command.empty() && !options.explain) {
    return refuse(
        {kWrongInput,
         "there is no command; accepted are numaheap run [OPTIONS] -- COMMAND [ARGUMENTS]"});
  }
  if (options.as_json && !options.explain) {
    return refuse({kWrongInput, "--json goes with --explain or --help-settings"});
  }

  Variables variables;
  if (const auto refusal = read_settings(options.settings, variables)) return refuse(*refusal);
  std::optional<RolePlan> plan;
  if (!options.config.empty() || !options.bind.empty()) {
    if (!read_plan(options, plan)) return kWrongInput;
    variables.emplace_back("NUMAHEAP_ROLES", encode(*plan));
  }
  if (options.no_children) variables.emplace_back("NUMAHEAP_NO_CHILDREN", "1");

  std::string path;
  std::string object;
  std::optional<Refusal> refusal;
  if (plan) refusal = check_is_for_this_machine(*plan);
  if (!refusal && !options.command.empty()) refusal = find_command(options.command[0], path);
  if (!refusal && !options.command.empty()) refusal = check_program(path);
  if (!refusal) refusal = find_preload_object(object);
  if (!refusal) variables.emplace_back("LD_PRELOAD", preload_list(object));
  if (options.explain) {
    print_explanation(options, plan, variables, refusal);
    return kDone;
  }
  if (refusal) return refuse(*refusal);
  return refuse(execute(options, path, variables));
}

}  // namespace numaheap::cli

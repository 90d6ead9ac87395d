/// \file
/// RoleReader: turns the tables of a roles file into a plan, and collects every mistake on the way.

#pragma once

// Header-only and without exceptions; the packaged library is built with them, and its names differ.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <string>
#include <string_view>
#include <vector>

#include "numaheap/numa/roles.hpp"

namespace numaheap::numa {

class RoleReader {
 public:
  explicit RoleReader(std::string file) : file_(std::move(file)) {}

  RoleResult read(std::string_view toml);

 private:
  /// A value in the file and the words for it in a mistake.
  struct Entry {
    std::string key;  ///< "roles.bio.memory"
    const toml::node* value;
    unsigned line;
  };
  /// One string of a value that may be a string or a list of them.
  struct Word {
    std::string text;
    const toml::node* value;
  };

  RoleResult refused();
  void read_topology(const toml::table& root);
  void read_roles(const toml::table& root);
  void read_role(const std::string& name, const Entry& entry);
  void read_threads(const Entry& entry, Role& role);
  void read_where(const Entry& entry, Role& role);
  void read_memory(const Entry& entry, Role& role);
  void read_spill(const Entry& entry, Role& role);
  void read_limit(const Entry& entry, Bytes& limit);
  void check_pattern(const Entry& entry, const Word& word);
  void check_role(const Entry& entry, const toml::table& table, Role& role);

  /// \returns nothing, after a mistake, if the value is neither a string nor a list of at least one.
  std::vector<Word> read_words(const Entry& entry, const std::string& accepted);
  /// \returns kNoNode, after a mistake, if it is not "node:N" for a node that can be used.
  NodeId read_node(const Entry& entry, const Word& word, const std::string& accepted);

  void mistake(const Entry& entry, std::string problem) {
    mistake(entry, entry.value, std::move(problem));
  }
  void mistake(const Entry& entry, const toml::node* value, std::string problem);

  std::string file_;
  std::unique_ptr<const Topology> topology_;
  std::vector<Role> roles_;
  std::vector<RoleMistake> mistakes_;
};

/// Resolves `where` for a role: its CPUs, and of them those that are refused.
/// \returns a sentence that says what is wrong; empty: done.
std::string pin(const Topology& topology, std::string_view where, Role& role);
/// Where the memory of a role lies that is local or spread out.
NodeSet memory_nodes(const Topology& topology, const Role& role);

}  // namespace numaheap::numa

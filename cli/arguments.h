// Command-line options of a sub-command: help, typed values, suggestions for misspelt options.
#pragma once

#include <boost/program_options.hpp>
#include <string>
#include <vector>

#include "reproduce/stages/experiment.h"

namespace mtlprune::cli {

namespace po = boost::program_options;

/// Parses `arguments`; prints `usage` and the options when --help is among them and returns false. Throws
/// Error on an unknown option (naming the nearest) or a malformed value.
bool parse(const std::string& usage, po::options_description& options,
           const std::vector<std::string>& arguments, po::variables_map& values,
           const std::vector<std::string>& positional = {});

/// --scale, --data, --set, --seeds, --device, --fidelity, --runs: which experiment to run.
void add_experiment_options(po::options_description& options, const std::string& default_scale = "quick");

/// "data.path" -> value.
using Overrides = std::vector<std::pair<std::string, nlohmann::json>>;

/// "KEY.PATH=VALUE" with VALUE in JSON (a bare word is a string). Throws Error on anything else.
std::pair<std::string, nlohmann::json> parse_override(const std::string& text);

/// The experiment that those options describe; `more` overrides are applied last.
Experiment read_experiment_options(const po::variables_map& values, const Overrides& more = {});

/// Those options as words of a command line.
std::vector<std::string> experiment_words(const po::variables_map& values);

/// "LAYOUT=DIR" or "synthetic_rooms" as overrides of an experiment's data section.
Overrides data_overrides(const std::string& text);

}  // namespace mtlprune::cli

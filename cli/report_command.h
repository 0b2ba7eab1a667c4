// Figures and report from the results folder of an experiment.
#pragma once

#include <filesystem>
#include <string>

#include "cli/arguments.h"

namespace mtlprune::cli {

/// --axis: which figures to draw.
void add_axis_option(po::options_description& options);

/// The checked value of --axis.
std::string read_axis(const po::variables_map& values);

/// Draws the figures (where Python can; says so where not), judges the claims, writes report.html and prints
/// its path.
void draw_and_report(const std::filesystem::path& results, const std::string& axis);

}  // namespace mtlprune::cli

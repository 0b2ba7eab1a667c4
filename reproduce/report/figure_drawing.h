// Calls the plotting scripts, the one part of the reproduction written in Python.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace mtlprune {

/// The first of python3 and /usr/bin/python3 that has matplotlib and numpy, or nothing.
std::optional<std::string> python_with_matplotlib();

/// Runs `<python> <figures_folder>/draw.py --axis <axis> <results_folder>` on the tables in the results
/// folder; figures and the tables behind their lines appear there. `axis` is "true" or "paper" (then the
/// files are named
/// *_paper_axis). Throws Error with the script's own message when it fails.
void draw_figures(const std::string& python, const std::filesystem::path& figures_folder,
                  const std::filesystem::path& results_folder, const std::string& axis = "true");

/// Runs `<python> <figures_folder>/learning_curves.py` on a training stage's folder (curve.csv, results.csv
/// and the list of its metrics as metrics.json) and the results of a constant stage (empty: none);
/// learning_curves.png, .pdf and .csv appear in the former. Throws as above.
void draw_learning_curves(const std::string& python, const std::filesystem::path& figures_folder,
                          const std::filesystem::path& stage_folder, const std::filesystem::path& predictors);

/// Runs `<python> <figures_folder>/data_stats.py <statistics_folder>` on the files of write_statistics();
/// data_stats.png and .pdf appear there. Throws as above.
void draw_data_statistics(const std::string& python, const std::filesystem::path& figures_folder,
                          const std::filesystem::path& statistics_folder);

}  // namespace mtlprune

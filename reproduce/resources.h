// Where the files that belong to the program are: scale descriptions, figure scripts, the paper's digitised
// curves.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mtlprune {

/// The folder with scales/, figures/, paper_curves/: $MTLPRUNE_RESOURCES, else <prefix>/share/mtlprune of the
/// installed program, else the source tree that it was built from. Throws Error when none exists.
std::filesystem::path resource_folder();

/// Names of the scales that come with the program, sorted.
std::vector<std::string> scale_names();

/// A scale by name ("quick") or a JSON file by path. An unknown name is an Error that suggests the nearest.
std::filesystem::path scale_file(const std::string& name_or_path);

}  // namespace mtlprune

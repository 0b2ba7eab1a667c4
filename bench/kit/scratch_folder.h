// Files that a benchmark shares with other programs.
#pragma once

#include <filesystem>

namespace mtlprune {

/// A folder of this process alone, in the system's folder for temporary files; it goes with all it holds when
/// the process ends. Throws Error when it cannot be made.
const std::filesystem::path& scratch_folder();

}  // namespace mtlprune

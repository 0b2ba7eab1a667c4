// Finding the folder of golden values and reading its JSON files.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "tests/data_folder.h"

/// First statement of a test: skips it, with the reason, where the golden values are not installed.
#define MTLPRUNE_REQUIRE_GOLDEN()                               \
    if (!std::filesystem::is_directory(mtlprune::golden_dir())) \
    GTEST_SKIP() << "no golden values in " << mtlprune::golden_dir() << " (set MTLPRUNE_GOLDEN_DIR)"

namespace mtlprune {

/// $MTLPRUNE_GOLDEN_DIR, or its usual place beside the project.
inline std::filesystem::path golden_dir() {
    return data_folder("MTLPRUNE_GOLDEN_DIR", "reference/main_paper/golden");
}

/// A JSON file of the golden folder, e.g. golden_json("golden.json"). Python writes NaN, which is no JSON:
/// null here.
inline nlohmann::json golden_json(const std::string& name) {
    const auto path = golden_dir() / name;
    const std::string text = std::regex_replace(read_file(path), std::regex("\\bNaN\\b"), "null");
    return parse_json(text, path.string());
}

}  // namespace mtlprune

// Where the tests find data that does not come with the project.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace mtlprune {

/// $`variable`, or `usual` in the folder shared/ beside the project, whatever the working directory.
inline std::filesystem::path data_folder(const char* variable, const char* usual) {
    const char* set = std::getenv(variable);
    if (set != nullptr && *set != '\0') return std::filesystem::absolute(set);
    return (std::filesystem::path(MTLPRUNE_SOURCE_DIR) / "../shared" / usual).lexically_normal();
}

/// Real frames and digits.
inline std::filesystem::path real_data() {
    return data_folder("MTLPRUNE_TEST_DATA", "data");
}

}  // namespace mtlprune

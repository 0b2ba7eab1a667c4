// Writes the archives that tests read.
#pragma once

#include <gtest/gtest.h>
#include <zip.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace mtlprune {

/// (name, content) of each member; a name ending in '/' is a folder.
using ZipMembers = std::vector<std::pair<std::string, std::string>>;

inline void write_zip(const std::filesystem::path& path, const ZipMembers& members) {
    int code = 0;
    zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
    ASSERT_NE(archive, nullptr) << code;
    for (const auto& [name, content] : members) {
        if (name.ends_with('/')) {
            ASSERT_GE(zip_dir_add(archive, name.c_str(), 0), 0);
            continue;
        }
        zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
        ASSERT_GE(zip_file_add(archive, name.c_str(), source, 0), 0);
    }
    ASSERT_EQ(zip_close(archive), 0);
}

}  // namespace mtlprune

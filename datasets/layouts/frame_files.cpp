#include "datasets/layouts/frame_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace mtlprune {

std::vector<int64_t> evenly_spaced(int64_t available, int64_t limit, const std::string& subject,
                                   const std::string& place) {
    if (limit < 0 || limit > available)
        throw Error(subject, place, fmt::format("a limit in 0..{}", available), std::to_string(limit));
    const int64_t used = limit == 0 ? available : limit;
    std::vector<int64_t> positions;
    for (int64_t i = 0; i < used; ++i) positions.push_back(i * available / used);
    return positions;
}

std::vector<std::string> names_in(const std::filesystem::path& folder, const std::string& subject) {
    std::vector<std::string> names;
    std::error_code code;
    std::filesystem::directory_iterator entry(folder, code), end;
    for (; !code && entry != end; entry.increment(code)) {
        auto name = entry->path().filename().string();
        if (name.front() != '.') names.push_back(std::move(name));
    }
    if (code) throw Error(fmt::format("{}: {}: cannot read: {}", subject, folder.string(), code.message()));
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<std::string> folders_in(const std::filesystem::path& folder, const std::string& subject) {
    std::vector<std::string> folders;
    for (std::string& name : names_in(folder, subject)) {
        std::error_code code;
        const bool is_folder = std::filesystem::is_directory(folder / name, code);
        if (code)
            throw Error(
                fmt::format("{}: {}: cannot read: {}", subject, (folder / name).string(), code.message()));
        if (is_folder) folders.push_back(std::move(name));
    }
    return folders;
}

void check_frame_size(const cv::Mat& pixels, const std::filesystem::path& file, const cv::Mat& image,
                      const std::filesystem::path& image_file) {
    if (pixels.size() != image.size())
        throw Error("frame", file.string(),
                    fmt::format("{} as {} has", size_text(image), image_file.string()), size_text(pixels));
}

std::string size_text(const cv::Mat& pixels) {
    return fmt::format("{}x{}", pixels.cols, pixels.rows);
}

}  // namespace mtlprune

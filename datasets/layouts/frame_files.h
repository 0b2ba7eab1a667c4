// Which files a data set on disk has: folder listings, evenly spaced subsets of frames.
#pragma once

#include <cstdint>
#include <filesystem>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace mtlprune {

/// The positions of `limit` of `available` frames, evenly spaced; all of them for limit 0. Throws Error
/// naming `subject` and `place` for a limit outside 0..available.
std::vector<int64_t> evenly_spaced(int64_t available, int64_t limit, const std::string& subject,
                                   const std::string& place);

/// The names in a folder, sorted, without hidden ones (starting with a dot). Throws Error naming the folder
/// and the reason: missing, not a folder, a loop of symbolic links, no permission.
std::vector<std::string> names_in(const std::filesystem::path& folder, const std::string& subject);

/// As names_in(), but only the folders among them, or symbolic links to folders.
std::vector<std::string> folders_in(const std::filesystem::path& folder, const std::string& subject);

/// Throws Error naming both files unless `pixels` is as large as the frame's image.
void check_frame_size(const cv::Mat& pixels, const std::filesystem::path& file, const cv::Mat& image,
                      const std::filesystem::path& image_file);

/// "640x480": columns x rows.
std::string size_text(const cv::Mat& pixels);

}  // namespace mtlprune

// What a file is when it is not what was expected.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mtlprune {

class InputFile;

/// For "found ...", from the file's first bytes and its size: "an HTML page: the download failed", "a Git LFS
/// pointer: run git lfs pull", "an empty file", "a zip archive: unpack it", "a PNG file"; "N bytes of
/// something else" for what is not known.
std::string content_text(std::string_view start, int64_t size);
std::string content_text(std::span<const uint8_t> bytes);
std::string content_text(const InputFile& file);

/// True for what stands in place of a file that was not fetched: an HTML page or a Git LFS pointer.
bool is_stand_in(std::string_view start);

}  // namespace mtlprune

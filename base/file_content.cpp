#include "base/file_content.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/input_file.h"

namespace mtlprune {
namespace {

using namespace std::string_view_literals;

constexpr size_t kStart = 512;
constexpr size_t kTarMagic = 257;

struct KnownStart {
    std::string_view bytes;
    const char* text;
};

constexpr KnownStart kKnown[] = {
    {"version https://git-lfs.github.com/"sv, "a Git LFS pointer: run git lfs pull"},
    {"PK\x03\x04"sv, "a zip archive: unpack it"},
    {"\x1f\x8b"sv, "gzip-compressed data"},
    {"BZh"sv, "bzip2-compressed data: unpack it"},
    {"\xfd\x37zXZ"sv, "xz-compressed data: unpack it"},
    {"7z\xbc\xaf"sv, "a 7z archive: unpack it"},
    {"Rar!"sv, "a rar archive: unpack it"},
    {"\x89PNG"sv, "a PNG file"},
    {"\xff\xd8\xff"sv, "a JPEG file"},
    {"GIF8"sv, "a GIF file"},
    {"BM"sv, "a BMP file"},
    {"RIFF"sv, "a WebP or other RIFF file"},
    {"II*\0"sv, "a TIFF file"},
    {"MM\0*"sv, "a TIFF file"},
    {"\x93NUMPY"sv, "a NumPy array"},
    {"\x89HDF"sv, "an HDF5 file"},
    {"MATLAB 7.3"sv, "a MATLAB 7.3 (HDF5) file"},
    {"MATLAB 5.0"sv, "a MATLAB 5 file"},
};

bool is_html(std::string_view start) {
    const size_t first = start.find_first_not_of(" \t\r\n\xef\xbb\xbf");
    std::string word(start.substr(std::min(first, start.size()), 14));
    std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
    return word.starts_with("<!doctype html") || word.starts_with("<html") || word.starts_with("<head");
}

}  // namespace

bool is_stand_in(std::string_view start) {
    return is_html(start) || start.starts_with(kKnown[0].bytes);
}

std::string content_text(std::string_view start, int64_t size) {
    if (size == 0) return "an empty file";
    if (is_html(start)) return "an HTML page: the download failed";
    for (const KnownStart& known : kKnown)
        if (start.starts_with(known.bytes)) return known.text;
    if (start.size() > kTarMagic && start.substr(kTarMagic).starts_with("ustar"))
        return "a tar archive: unpack it";
    return fmt::format("{} bytes of something else", size);
}

std::string content_text(std::span<const uint8_t> bytes) {
    return content_text({reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kStart)},
                        static_cast<int64_t>(bytes.size()));
}

std::string content_text(const InputFile& file) {
    char start[kStart];
    const size_t got = file.read_up_to(start, sizeof start, 0);
    return content_text({start, got}, file.size());
}

}  // namespace mtlprune

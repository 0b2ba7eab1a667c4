#include "datasets/codecs/image_file.h"

#include <fmt/format.h>

#include <cstring>
#include <opencv2/imgcodecs.hpp>
#include <vector>

#include "base/error.h"
#include "base/file_content.h"
#include "base/input_file.h"
#include "datasets/codecs/jpeg.h"
#include "datasets/codecs/png.h"

namespace mtlprune {
namespace {

constexpr uint8_t kPngStart[4] = {0x89, 'P', 'N', 'G'};
constexpr uint8_t kJpegStart[3] = {0xff, 0xd8, 0xff};

std::vector<uint8_t> read_bytes(const std::filesystem::path& path) {
    return InputFile(path, "image").read_all();
}

template <size_t N>
bool starts_with(const std::vector<uint8_t>& bytes, const uint8_t (&start)[N]) {
    return bytes.size() >= N && std::memcmp(bytes.data(), start, N) == 0;
}

std::string describe_png(const PngHeader& header) {
    constexpr const char* kNames[7] = {
        "grey", "?", "colour", "palette", "grey with alpha", "?", "colour with alpha"};
    return fmt::format("{}-bit {}", header.bit_depth,
                       header.colour_type <= 6 ? kNames[header.colour_type] : "?");
}

cv::Mat decode(const std::vector<uint8_t>& bytes, int flags, const std::string& place) {
    cv::Mat pixels;
    try {
        pixels = cv::imdecode(bytes, flags);
    } catch (const cv::Exception& error) {
        throw Error("image", place, "a decodable image", error.what());
    }
    if (pixels.empty()) throw Error("image", place, "a decodable image", "damaged image data");
    return pixels;
}

cv::Mat decode_png(const std::vector<uint8_t>& bytes, const PngHeader& header, int flags,
                   const std::string& place) {
    auto pixels = decode_plain_png(bytes, header, place);
    return pixels ? *pixels : decode(bytes, flags, place);
}

cv::Mat read_grey_png(const std::filesystem::path& path, int bits, const std::string& expected) {
    const auto bytes = read_bytes(path);
    const auto place = path.string();
    if (!starts_with(bytes, kPngStart))
        throw Error("label image", place, "a PNG file",
                    starts_with(bytes, kJpegStart) ? "a JPEG file, which does not keep exact labels"
                                                   : content_text(bytes));
    const PngHeader header = check_png(bytes, place);
    if (header.colour_type != 0 || header.bit_depth != bits || header.transparency)
        throw Error("label image", place, expected, describe_png(header));
    return decode_png(bytes, header, cv::IMREAD_UNCHANGED, place);
}

}  // namespace

cv::Mat read_colour_image(const std::filesystem::path& path) {
    return decode_colour_image(read_bytes(path), path.string());
}

cv::Mat decode_colour_image(const std::vector<uint8_t>& bytes, const std::string& place) {
    if (starts_with(bytes, kPngStart)) {
        const PngHeader header = check_png(bytes, place);
        const bool colour = header.colour_type == 2 || header.colour_type == 3;
        if (!colour || header.bit_depth > 8 || header.transparency)
            throw Error("image", place, "8-bit colour without alpha",
                        describe_png(header) + (header.transparency ? " with transparency" : ""));
        return decode_png(bytes, header, cv::IMREAD_COLOR, place);
    }
    if (!starts_with(bytes, kJpegStart))
        throw Error("image", place, "a PNG or JPEG file", content_text(bytes));
    check_jpeg(bytes, place);
    const cv::Mat pixels = decode(bytes, cv::IMREAD_UNCHANGED, place);
    if (pixels.type() != CV_8UC3)
        throw Error("image", place, "an 8-bit colour image", fmt::format("{} channel(s)", pixels.channels()));
    return pixels;
}

cv::Mat read_label_image(const std::filesystem::path& path) {
    return read_grey_png(path, 8, "8-bit grey (one class index per pixel)");
}

cv::Mat read_grey16_image(const std::filesystem::path& path) {
    return read_grey_png(path, 16, "16-bit grey");
}

}  // namespace mtlprune

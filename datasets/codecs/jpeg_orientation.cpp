// The one EXIF entry that changes what a picture shows.
#include <cstring>

#include "datasets/codecs/jpeg.h"

namespace mtlprune {
namespace {

constexpr size_t kExifStart = 6;  // "Exif" and two zero bytes
constexpr uint16_t kOrientationTag = 0x0112;
constexpr int kUpright = 1;

/// A TIFF structure; reading outside of it gives 0.
struct Tiff {
    std::span<const uint8_t> bytes;
    bool little = false;
    uint32_t number(size_t at, size_t length) const {
        if (length > bytes.size() || at > bytes.size() - length) return 0;
        uint32_t value = 0;
        for (size_t i = 0; i < length; ++i) value = value << 8 | bytes[little ? at + length - 1 - i : at + i];
        return value;
    }
};

int orientation_of(std::span<const uint8_t> exif) {
    Tiff tiff{exif, exif.size() > 1 && exif[0] == 'I'};
    const size_t table = tiff.number(4, 4), entries = tiff.number(table, 2);
    for (size_t i = 0; i < entries; ++i) {
        const size_t entry = table + 2 + 12 * i;
        if (tiff.number(entry, 2) != kOrientationTag) continue;
        const auto value = static_cast<int>(tiff.number(entry + 8, 2));
        return value >= 1 && value <= 8 ? value : kUpright;
    }
    return kUpright;
}

}  // namespace

int jpeg_orientation(std::span<const uint8_t> bytes) {
    constexpr uint8_t kApp1 = 0xe1, kStartOfScan = 0xda;
    if (bytes.size() < 4 || bytes[0] != 0xff || bytes[1] != 0xd8) return kUpright;
    for (size_t at = 2; at + 4 <= bytes.size() && bytes[at] == 0xff && bytes[at + 1] != kStartOfScan;) {
        const size_t length = static_cast<size_t>(bytes[at + 2]) << 8 | bytes[at + 3];
        if (length < 2 || at + 2 + length > bytes.size()) break;
        const auto content = bytes.subspan(at + 4, length - 2);
        if (bytes[at + 1] == kApp1 && content.size() > kExifStart &&
            std::memcmp(content.data(), "Exif\0\0", 6) == 0)
            return orientation_of(content.subspan(kExifStart));
        at += 2 + length;
    }
    return kUpright;
}

}  // namespace mtlprune

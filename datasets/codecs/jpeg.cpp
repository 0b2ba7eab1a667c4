#include "datasets/codecs/jpeg.h"

#include <fmt/format.h>

#include <cstring>

#include "base/error.h"

namespace mtlprune {
namespace {

constexpr uint8_t kStartOfImage = 0xd8, kEndOfImage = 0xd9, kStartOfScan = 0xda;

/// Inside coded data FF 00 is a data byte and FF D0..D7 restart; outside, FF FF is padding.
bool is_marker(uint8_t code) {
    return code != 0x00 && code != 0xff && !(code >= 0xd0 && code <= 0xd7);
}

/// The position behind the next marker at or after `at`, or 0 at the end of the file.
size_t after_next_marker(const std::vector<uint8_t>& bytes, size_t at) {
    while (at + 1 < bytes.size()) {
        const void* found = std::memchr(&bytes[at], 0xff, bytes.size() - 1 - at);
        if (found == nullptr) return 0;
        at = static_cast<const uint8_t*>(found) - bytes.data() + 1;
        if (is_marker(bytes[at])) return at + 1;
    }
    return 0;
}

}  // namespace

void check_jpeg(const std::vector<uint8_t>& bytes, const std::string& place) {
    if (bytes.size() < 2 || bytes[0] != 0xff || bytes[1] != kStartOfImage)
        throw Error("JPEG image", place, "a start marker", "something else");
    bool scanned = false;
    size_t at = 2;
    while ((at = after_next_marker(bytes, at)) != 0) {
        const uint8_t marker = bytes[at - 1];
        if (marker == kEndOfImage && scanned) return;
        if (marker == kStartOfScan) scanned = true;
        if (at + 2 > bytes.size()) break;
        at += static_cast<size_t>(bytes[at]) << 8 | bytes[at + 1];
        if (at > bytes.size()) break;
    }
    throw Error("JPEG image", place, "an end marker",
                fmt::format("the end of the file at byte {} (truncated)", bytes.size()));
}

}  // namespace mtlprune

// PNG files: checked and decoded, or refused with an Error.
#include <libdeflate.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "datasets/codecs/png.h"

namespace {

/// Makes the check sums right, so that inputs reach the decoder: chunk by chunk as far as they are complete.
void correct_check_sums(std::vector<uint8_t>& bytes) {
    for (size_t at = 8; at + 12 <= bytes.size();) {
        const size_t length = static_cast<size_t>(bytes[at]) << 24 |
                              static_cast<size_t>(bytes[at + 1]) << 16 |
                              static_cast<size_t>(bytes[at + 2]) << 8 | bytes[at + 3];
        if (at + 12 + length > bytes.size()) return;
        const uint32_t sum = libdeflate_crc32(0, &bytes[at + 4], length + 4);
        for (size_t i = 0; i < 4; ++i) bytes[at + 8 + length + i] = static_cast<uint8_t>(sum >> (24 - 8 * i));
        at += 12 + length;
    }
}

void decode(const std::vector<uint8_t>& bytes) {
    try {
        const auto header = mtlprune::check_png(bytes, "input");
        if (header.width * header.height > int64_t{1} << 24) return;  // correct, but slow
        const auto pixels = mtlprune::decode_plain_png(bytes, header, "input");
        if (pixels && (pixels->rows != header.height || pixels->cols != header.width)) __builtin_trap();
    } catch (const mtlprune::Error&) {
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::vector<uint8_t> bytes(data, data + size);
    decode(bytes);
    correct_check_sums(bytes);
    decode(bytes);
    return 0;
}

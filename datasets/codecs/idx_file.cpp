#include "datasets/codecs/idx_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file_content.h"
#include "base/input_file.h"
#include "datasets/codecs/gzip.h"

namespace mtlprune {
namespace {

constexpr uint8_t kUnsignedByte = 0x08;

int64_t big_endian(const uint8_t* p) {
    return static_cast<int64_t>(p[0]) << 24 | static_cast<int64_t>(p[1]) << 16 |
           static_cast<int64_t>(p[2]) << 8 | p[3];
}

[[noreturn]] void reject_idx(const std::string& place, const std::string& expected,
                             const std::string& found) {
    throw Error("idx file", place, expected, found);
}

void check_start(const std::vector<uint8_t>& bytes, size_t dimensions, const std::string& place) {
    if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0)
        reject_idx(place, "an idx file (starting with two zero bytes)", content_text(bytes));
    if (bytes[2] != kUnsignedByte)
        reject_idx(place, "values of type 08 (unsigned byte)", fmt::format("type {:02x}", bytes[2]));
    if (bytes[3] != dimensions)
        reject_idx(place, fmt::format("{} dimension(s)", dimensions), std::to_string(bytes[3]));
    if (bytes.size() < 4 + 4 * dimensions)
        reject_idx(place, fmt::format("a header of {} bytes", 4 + 4 * dimensions),
                   fmt::format("{} bytes (truncated)", bytes.size()));
}

}  // namespace

IdxArray parse_idx(std::vector<uint8_t> bytes, size_t dimensions, const std::string& place) {
    check_start(bytes, dimensions, place);
    const size_t header = 4 + 4 * dimensions;
    const auto available = static_cast<int64_t>(bytes.size() - header);
    IdxArray array;
    int64_t declared = 1;
    for (size_t d = 0; d < dimensions; ++d) {
        const int64_t length = big_endian(&bytes[4 + 4 * d]);
        if (length < 1) reject_idx(place, "lengths of 1 or more", std::to_string(length));
        array.shape.push_back(length);
        // Once above what is there it stays above, so the product cannot overflow.
        if (declared <= available) declared *= length;
    }
    if (declared != available)
        reject_idx(place, fmt::format("{} values", fmt::join(array.shape, " x ")),
                   fmt::format("{} bytes behind the header", available));
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<int64_t>(header));
    array.values = std::move(bytes);
    return array;
}

IdxArray read_idx(const std::filesystem::path& path, size_t dimensions) {
    auto bytes = InputFile(path, "idx file").read_all();
    if (is_gzip(bytes)) bytes = gunzip(bytes, path.string());
    return parse_idx(std::move(bytes), dimensions, path.string());
}

}  // namespace mtlprune

#include "reproduce/results/event_file.h"

#include <bit>
#include <boost/crc.hpp>
#include <cstring>
#include <type_traits>

namespace mtlprune {
namespace {

static_assert(std::endian::native == std::endian::little, "records are little-endian");

template <typename T>
std::string bytes_of(T value) {
    std::string bytes(sizeof(value), '\0');
    std::memcpy(bytes.data(), &value, sizeof(value));
    return bytes;
}

/// Seven bits a byte, the lowest first; all but the last have the high bit.
std::string varint(uint64_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
    bytes.push_back(static_cast<char>(value));
    return bytes;
}

/// Kinds of fields of protocol buffers.
enum class Wire : uint64_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

std::string field(uint64_t number, Wire wire, const std::string& content) {
    const auto length = wire == Wire::bytes ? varint(content.size()) : std::string();
    return varint(number << 3 | static_cast<uint64_t>(wire)) + length + content;
}

uint32_t masked(uint32_t checksum) {
    return std::rotr(checksum, 15) + 0xa282ead8U;
}

/// Length, its checksum, the event, its checksum.
std::string record(const std::string& event) {
    const auto length = bytes_of(static_cast<uint64_t>(event.size()));
    return length + bytes_of(masked(crc32c(length))) + event + bytes_of(masked(crc32c(event)));
}

}  // namespace

uint32_t crc32c(const std::string& bytes) {
    boost::crc_optimal<32, 0x1edc6f41, 0xffffffff, 0xffffffff, true, true> crc;
    crc.process_bytes(bytes.data(), bytes.size());
    return crc.checksum();
}

std::string event_file_start(double seconds) {
    return record(field(1, Wire::fixed64, bytes_of(seconds)) + field(3, Wire::bytes, "brain.Event:2"));
}

/// Event {1: wall_time, 2: step, 5: Summary {1: Value {1: tag, 2: simple_value}, ...}}
std::string event_record(double seconds, int64_t step, const std::map<std::string, float>& scalars) {
    std::string summary;
    for (const auto& [tag, value] : scalars)
        summary +=
            field(1, Wire::bytes, field(1, Wire::bytes, tag) + field(2, Wire::fixed32, bytes_of(value)));
    return record(field(1, Wire::fixed64, bytes_of(seconds)) +
                  field(2, Wire::varint, varint(static_cast<uint64_t>(step))) +
                  field(5, Wire::bytes, summary));
}

}  // namespace mtlprune

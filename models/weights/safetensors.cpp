#include "models/weights/safetensors.h"

#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace mtlprune {
namespace {

constexpr const char* kSafetensors = "safetensors file";
constexpr size_t kLengthBytes = 8;
constexpr uint64_t kLongestTable = 100'000'000;  ///< of the format

uint64_t table_length(const std::string& bytes) {
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), kLengthBytes);
    return length;
}

std::optional<c10::ScalarType> type_named(const std::string& name) {
    static const std::map<std::string, c10::ScalarType> types = {
        {"F64", torch::kDouble}, {"F32", torch::kFloat}, {"F16", torch::kHalf},  {"BF16", torch::kBFloat16},
        {"I64", torch::kLong},   {"I32", torch::kInt},   {"I16", torch::kShort}, {"I8", torch::kChar},
        {"U8", torch::kByte},    {"BOOL", torch::kBool}};
    const auto found = types.find(name);
    return found == types.end() ? std::nullopt : std::optional(found->second);
}

/// A whole number of the table; negative ones and others are none.
std::optional<uint64_t> size_in(const nlohmann::json& value) {
    return value.is_number_unsigned() ? std::optional(value.get<uint64_t>()) : std::nullopt;
}

struct Entry {
    c10::ScalarType type;
    std::vector<int64_t> shape;
    uint64_t begin, end;  ///< of its bytes, after the table
};

Entry entry_of(const nlohmann::json& json, const std::string& where) {
    const auto fail = [&](const std::string& expected, const std::string& found) {
        throw Error(kSafetensors, where, expected, found);
    };
    if (!json.is_object() || !json.contains("dtype") || !json.contains("shape") ||
        !json.contains("data_offsets") || !json["dtype"].is_string() || !json["shape"].is_array() ||
        !json["data_offsets"].is_array() || json["data_offsets"].size() != 2)
        fail("dtype, shape and two data_offsets", json.dump().substr(0, 80));
    const auto type = type_named(json["dtype"].get<std::string>());
    if (!type) fail("a type that tensors have", json["dtype"].dump());
    Entry entry{*type,
                {},
                size_in(json["data_offsets"][0]).value_or(1),
                size_in(json["data_offsets"][1]).value_or(0)};
    uint64_t bytes = c10::elementSize(*type);
    for (const auto& item : json["shape"]) {
        const auto size = size_in(item);
        if (!size || *size > uint64_t{1} << 48 || __builtin_mul_overflow(bytes, *size, &bytes))
            fail("sizes of at least 0", json["shape"].dump());
        entry.shape.push_back(static_cast<int64_t>(size.value_or(0)));
    }
    if (entry.end < entry.begin || entry.end - entry.begin != bytes)
        fail(fmt::format("{} bytes", bytes), "data_offsets " + json["data_offsets"].dump());
    return entry;
}

}  // namespace

bool is_safetensors(const std::string& bytes) {
    return bytes.size() > kLengthBytes && table_length(bytes) <= kLongestTable && bytes[kLengthBytes] == '{';
}

TensorMap read_safetensors(const std::string& bytes, const std::string& place) {
    const uint64_t length = table_length(bytes);
    const std::string_view rest = std::string_view(bytes).substr(kLengthBytes);
    if (length > rest.size())
        throw Error(kSafetensors, place, fmt::format("a table of {} bytes", length),
                    fmt::format("{} bytes to the end of the file", rest.size()));
    const auto table = nlohmann::json::parse(rest.substr(0, length), nullptr, /*allow_exceptions=*/false);
    if (!table.is_object()) throw Error(kSafetensors, place, "a JSON object as its table", "something else");
    const auto data = rest.substr(length);
    TensorMap tensors;
    for (const auto& [name, json] : table.items()) {
        if (name == "__metadata__") continue;
        const auto entry = entry_of(json, place + ": " + name);
        if (entry.end > data.size())
            throw Error(kSafetensors, place + ": " + name, fmt::format("data up to byte {}", entry.end),
                        fmt::format("{} bytes of data", data.size()));
        auto tensor = torch::empty(entry.shape, entry.type);
        if (entry.end > entry.begin)
            std::memcpy(tensor.data_ptr(), data.data() + entry.begin, entry.end - entry.begin);
        tensors.emplace(name, std::move(tensor));
    }
    return tensors;
}

}  // namespace mtlprune

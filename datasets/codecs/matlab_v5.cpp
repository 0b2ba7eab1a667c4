#include "datasets/codecs/matlab_v5.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/file_content.h"
#include "base/input_file.h"
#include "base/json_reader.h"
#include "datasets/codecs/deflate.h"

namespace mtlprune {
namespace {

using Bytes = std::vector<uint8_t>;
using View = std::span<const uint8_t>;

constexpr int64_t kLargestFile = int64_t{1} << 24;
constexpr size_t kLargestVariable = size_t{1} << 26;
constexpr size_t kHeaderBytes = 128;
constexpr uint32_t kMatrix = 14, kCompressed = 15, kUtf8 = 16, kUtf16 = 17;  // types of elements
constexpr uint32_t kCell = 1, kStructure = 2, kText = 4;                     // classes of matrices
constexpr uint32_t kFirstNumber = 6, kLastNumber = 15;  // double, single, int8 ... uint64
constexpr uint32_t kComplexFlag = 0x0800;

[[noreturn]] void reject_matlab(const std::string& place, const std::string& expected,
                                const std::string& found) {
    throw Error("MATLAB file", place, expected, found);
}

template <typename T>
T load(const uint8_t* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

struct Element {
    uint32_t type = 0;
    View data;
};

/// The elements in a piece of a file, one after the other (MAT-File Format, "Data Element Format").
class Elements {
  public:
    Elements(View bytes, std::string place) : bytes_(bytes), place_(std::move(place)) {}
    bool done() const { return bytes_.size() < 8; }
    const std::string& place() const { return place_; }

    Element next() {
        if (done()) reject_matlab(place_, "another element", "the end");
        const auto word = load<uint32_t>(bytes_.data());
        if (word >> 16 != 0) return take(word & 0xffff, 4, word >> 16, 8);
        const auto length = load<uint32_t>(bytes_.data() + 4);
        const size_t padding = word == kCompressed ? 0 : (8 - length % 8) % 8;
        return take(word, 8, length, 8 + size_t{length} + padding);
    }

  private:
    Element take(uint32_t type, size_t start, size_t length, size_t step) {
        if (length > bytes_.size() - start || (start == 4 && length > 4))
            reject_matlab(place_, fmt::format("an element of {} bytes", length),
                          fmt::format("{} (truncated)", bytes_.size() - start));
        const Element element{type, bytes_.subspan(start, length)};
        bytes_ = bytes_.subspan(std::min(step, bytes_.size()));
        return element;
    }

    View bytes_;
    std::string place_;
};

/// A matrix up to its content.
struct Matrix {
    uint32_t kind = 0;
    bool complex = false;
    size_t count = 0;  ///< of elements
    std::string name;
    Elements content;
};

Matrix open_matrix(const Element& element, const std::string& place) {
    if (element.type != kMatrix) reject_matlab(place, "a matrix", fmt::format("type {}", element.type));
    Elements parts(element.data, place);
    const View flags = parts.next().data, sizes = parts.next().data, name = parts.next().data;
    if (flags.size() < 4 || sizes.size() < 8 || sizes.size() % 4 != 0)
        reject_matlab(place, "flags and sizes", fmt::format("{} and {} bytes", flags.size(), sizes.size()));
    const auto word = load<uint32_t>(flags.data());
    size_t count = 1;
    for (size_t at = 0; at < sizes.size(); at += 4) {
        const auto size = load<int32_t>(sizes.data() + at);
        if (size < 0 || static_cast<size_t>(size) > kLargestVariable || (count *= size) > kLargestVariable)
            reject_matlab(place, fmt::format("at most {} elements", kLargestVariable),
                          fmt::format("size {}", size));
    }
    return {word & 0xff, (word & kComplexFlag) != 0, count, {name.begin(), name.end()}, parts};
}

Bytes read_matlab_bytes(const std::filesystem::path& path) {
    const InputFile file(path, "MATLAB file");
    char header[kHeaderBytes] = {};
    const size_t got = file.read_up_to(header, sizeof header, 0);
    const bool version_5 = got == sizeof header && header[124] == 0 && header[125] == 1 &&
                           header[126] == 'I' && header[127] == 'M';
    if (!version_5 || file.size() > kLargestFile)
        reject_matlab(path.string(), fmt::format("version 5, little-endian, at most {} bytes", kLargestFile),
                      version_5 ? fmt::format("{} bytes", file.size()) : content_text(file));
    Bytes bytes(file.size() - kHeaderBytes);
    file.read(bytes.data(), bytes.size(), kHeaderBytes);
    return bytes;
}

/// A variable and the memory it lies in.
struct Variable {
    Bytes memory;
    Matrix matrix;
};

/// "structure.field" becomes the field of the structure.
Matrix field_of(Matrix matrix, const std::string& field, const std::string& place) {
    if (matrix.kind != kStructure || matrix.count != 1)
        reject_matlab(place, "a structure", fmt::format("class {}, {} elements", matrix.kind, matrix.count));
    const View length = matrix.content.next().data, names = matrix.content.next().data;
    const size_t width = length.size() == 4 ? load<uint32_t>(length.data()) : 0;
    if (width == 0 || names.size() % width != 0) reject_matlab(place, "names of fields", "other data");
    for (size_t at = 0; at < names.size(); at += width) {
        const Element element = matrix.content.next();
        const std::string name(names.begin() + at, names.begin() + at + width);
        if (name.substr(0, name.find('\0')) == field) return open_matrix(element, place);
    }
    reject_matlab(place, "that field", "nothing");
}

Variable find(const std::filesystem::path& path, const std::string& name) {
    const std::string place = path.string() + ": " + name;
    const size_t dot = name.find('.');
    const Bytes file = read_matlab_bytes(path);
    std::vector<std::string> names;
    for (Elements all(file, path.string()); !all.done();) {
        const Element element = all.next();
        Bytes memory = element.type == kCompressed
                           ? inflate_zlib_up_to(element.data, kLargestVariable, "MATLAB file", path.string())
                           : Bytes();
        if (element.type == kMatrix) {  // as it would be uncompressed, with its tag
            const View data = element.data;
            // Small elements (up to 4 bytes) have a shorter tag and cannot be a matrix.
            if (data.size() < 8)
                reject_matlab(path.string(), "a matrix", fmt::format("{} bytes", data.size()));
            memory.assign(data.data() - 8, data.data() + data.size());
        }
        Matrix matrix = open_matrix(Elements(memory, path.string()).next(), path.string());
        names.push_back(matrix.name);
        if (matrix.name != name.substr(0, dot)) continue;
        if (dot != std::string::npos) matrix = field_of(std::move(matrix), name.substr(dot + 1), place);
        return {std::move(memory), std::move(matrix)};
    }
    std::string list;
    for (const auto& known : names) list += (list.empty() ? "only " : ", ") + known;
    reject_matlab(place, "a variable of that name",
                  (list.empty() ? "none" : list) + did_you_mean(name, names));
}

template <typename T>
std::vector<double> widen(View data) {
    std::vector<double> values(data.size() / sizeof(T));
    for (size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<double>(load<T>(data.data() + i * sizeof(T)));
    return values;
}

/// MATLAB stores whole doubles in the smallest integers that hold them.
std::vector<double> numbers_in(const Element& element, const std::string& place) {
    switch (element.type) {
        case 1:
            return widen<int8_t>(element.data);
        case 2:
            return widen<uint8_t>(element.data);
        case 3:
            return widen<int16_t>(element.data);
        case 4:
            return widen<uint16_t>(element.data);
        case 5:
            return widen<int32_t>(element.data);
        case 6:
            return widen<uint32_t>(element.data);
        case 7:
            return widen<float>(element.data);
        case 9:
            return widen<double>(element.data);
        default:
            reject_matlab(place, "numbers", fmt::format("type {}", element.type));
    }
}

/// Characters beyond ASCII become '?'.
std::string text_of(Matrix matrix, const std::string& place) {
    if (matrix.kind != kText) reject_matlab(place, "text", fmt::format("class {}", matrix.kind));
    if (matrix.count == 0) return "";
    Element characters = matrix.content.next();
    if (characters.type == kUtf8) characters.type = 2;
    if (characters.type == kUtf16) characters.type = 4;
    std::string text;
    for (const double character : numbers_in(characters, place))
        text += character >= 0 && character < 128 ? static_cast<char>(character) : '?';
    return text;
}

}  // namespace

std::vector<int64_t> read_matlab_integers(const std::filesystem::path& path, const std::string& name,
                                          int64_t low, int64_t high) {
    const std::string place = path.string() + ": " + name;
    Variable variable = find(path, name);
    Matrix& matrix = variable.matrix;
    if (matrix.kind < kFirstNumber || matrix.kind > kLastNumber || matrix.complex || matrix.count == 0)
        reject_matlab(place, "real numbers", fmt::format("class {}, {} elements", matrix.kind, matrix.count));
    const auto numbers = numbers_in(matrix.content.next(), place);
    if (numbers.size() != matrix.count)
        reject_matlab(place, fmt::format("{} numbers", matrix.count), std::to_string(numbers.size()));
    std::vector<int64_t> values;
    for (const double number : numbers) {
        if (!(number >= static_cast<double>(low) && number <= static_cast<double>(high)) ||
            number != std::floor(number))
            reject_matlab(fmt::format("{}({})", place, values.size() + 1),
                          fmt::format("a whole number in {}..{}", low, high), fmt::format("{}", number));
        values.push_back(static_cast<int64_t>(number));
    }
    return values;
}

std::vector<std::string> read_matlab_strings(const std::filesystem::path& path, const std::string& name) {
    const std::string place = path.string() + ": " + name;
    Variable variable = find(path, name);
    Matrix& matrix = variable.matrix;
    if (matrix.kind != kCell) reject_matlab(place, "a cell array", fmt::format("class {}", matrix.kind));
    std::vector<std::string> strings;
    for (size_t i = 0; i < matrix.count; ++i) {
        const std::string cell = fmt::format("{}({})", place, i + 1);
        strings.push_back(text_of(open_matrix(matrix.content.next(), cell), cell));
    }
    return strings;
}

}  // namespace mtlprune

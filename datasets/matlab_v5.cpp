#include "datasets/matlab_v5.h"

#include <fmt/format.h>
#include <matio.h>

#include <cmath>
#include <memory>

#include "datasets/config.h"
#include "datasets/error.h"
#include "datasets/input_file.h"

namespace mtlprune {
namespace {

constexpr int64_t kLargestFile = int64_t{1} << 24;
constexpr int kHeaderBytes = 128;

struct CloseFile {
    void operator()(mat_t* file) const { Mat_Close(file); }
};
struct FreeVariable {
    void operator()(matvar_t* variable) const { Mat_VarFree(variable); }
};
using Variable = std::unique_ptr<matvar_t, FreeVariable>;

/// Refuses what is not of version 5 before the library sees it.
void check_header(const std::filesystem::path& path) {
    const InputFile file(path, "MATLAB file");
    char header[kHeaderBytes] = {};
    const size_t got = file.read_up_to(header, sizeof header, 0);
    const bool version_5 = got == sizeof header && header[124] == 0 && header[125] == 1 &&
                           header[126] == 'I' && header[127] == 'M';
    if (!version_5 || file.size() > kLargestFile)
        throw Error("MATLAB file", path.string(),
                    fmt::format("version 5, little-endian, at most {} bytes", kLargestFile),
                    fmt::format("{} bytes{}", file.size(), version_5 ? "" : " of another format"));
}

class MatlabFile {
  public:
    explicit MatlabFile(const std::filesystem::path& path) : path_(path) {
        check_header(path);
        Mat_LogInitFunc("", [](int, char*) {});
        file_.reset(Mat_Open(path.c_str(), MAT_ACC_RDONLY));
        if (!file_) throw Error("MATLAB file", path.string(), "a readable file", "damaged data");
    }
    /// The variable with its data, or an Error that lists what there is.
    Variable read(const std::string& name) const {
        std::vector<std::string> names;
        while (Variable variable{Mat_VarReadNextInfo(file_.get())}) {
            if (variable->name == nullptr) continue;
            names.emplace_back(variable->name);
            if (names.back() != name) continue;
            if (Mat_VarReadDataAll(file_.get(), variable.get()) != 0) break;
            return variable;
        }
        std::string list;
        for (const auto& known : names) list += (list.empty() ? "" : ", ") + known;
        throw Error("MATLAB file", path_.string() + ": " + name, "a readable variable",
                    (list.empty() ? "none" : "only " + list) + did_you_mean(name, names));
    }

  private:
    std::filesystem::path path_;
    std::unique_ptr<mat_t, CloseFile> file_;
};

/// `name` or "structure.field"; the field belongs to `owner`.
const matvar_t* find(const MatlabFile& file, const std::string& name, const std::string& place,
                     Variable& owner) {
    const size_t dot = name.find('.');
    owner = file.read(name.substr(0, dot));
    if (dot == std::string::npos) return owner.get();
    if (owner->class_type != MAT_C_STRUCT || owner->data == nullptr)
        throw Error("MATLAB file", place, "a structure", "another type");
    const matvar_t* field = Mat_VarGetStructFieldByName(owner.get(), name.substr(dot + 1).c_str(), 0);
    if (field == nullptr) throw Error("MATLAB file", place, "that field", "nothing");
    return field;
}

/// Elements that the shape declares; 0 unless the data in memory are that many of `width` bytes.
size_t element_count(const matvar_t& variable, size_t width) {
    size_t count = variable.rank > 0 && variable.data != nullptr ? 1 : 0;
    for (int axis = 0; axis < variable.rank; ++axis) {
        if (variable.dims[axis] > static_cast<size_t>(kLargestFile)) return 0;
        count *= variable.dims[axis];
        if (count > static_cast<size_t>(kLargestFile)) return 0;
    }
    return count * width == variable.nbytes ? count : 0;
}

template <typename T>
std::vector<double> widen(const matvar_t& variable) {
    const auto* values = static_cast<const T*>(variable.data);
    return {values, values + element_count(variable, sizeof(T))};
}

std::vector<double> numbers_of(const matvar_t& variable, const std::string& place) {
    if (variable.isComplex == 0) switch (variable.class_type) {
            case MAT_C_DOUBLE:
                return widen<double>(variable);
            case MAT_C_UINT8:
                return widen<uint8_t>(variable);
            case MAT_C_UINT16:
                return widen<uint16_t>(variable);
            case MAT_C_UINT32:
                return widen<uint32_t>(variable);
            default:
                break;
        }
    throw Error("MATLAB file", place, "real doubles or unsigned integers",
                fmt::format("MATLAB class {}", static_cast<int>(variable.class_type)));
}

std::string text_of(const matvar_t* cell, const std::string& place) {
    if (cell == nullptr || cell->class_type != MAT_C_CHAR)
        throw Error("MATLAB file", place, "text", "another type");
    const bool wide = cell->data_type == MAT_T_UINT16 || cell->data_type == MAT_T_UTF16;
    const size_t count = element_count(*cell, wide ? 2 : 1);
    std::string text;
    for (size_t i = 0; i < count; ++i)
        text += static_cast<char>(wide ? static_cast<const uint16_t*>(cell->data)[i]
                                       : static_cast<const uint8_t*>(cell->data)[i]);
    return text;
}

}  // namespace

std::vector<int64_t> read_matlab_integers(const std::filesystem::path& path, const std::string& name,
                                          int64_t low, int64_t high) {
    const MatlabFile file(path);
    const std::string place = path.string() + ": " + name;
    Variable owner;
    const auto numbers = numbers_of(*find(file, name, place, owner), place);
    if (numbers.empty()) throw Error("MATLAB file", place, "numbers", "none");
    std::vector<int64_t> values;
    for (const double number : numbers) {
        if (!(number >= static_cast<double>(low) && number <= static_cast<double>(high)) ||
            number != std::floor(number))
            throw Error("MATLAB file", fmt::format("{}({})", place, values.size() + 1),
                        fmt::format("a whole number in {}..{}", low, high), fmt::format("{}", number));
        values.push_back(static_cast<int64_t>(number));
    }
    return values;
}

std::vector<std::string> read_matlab_strings(const std::filesystem::path& path, const std::string& name) {
    const MatlabFile file(path);
    const std::string place = path.string() + ": " + name;
    Variable owner;
    const matvar_t* const cells = find(file, name, place, owner);
    if (cells->class_type != MAT_C_CELL) throw Error("MATLAB file", place, "a cell array", "another type");
    std::vector<std::string> strings;
    const size_t count = element_count(*cells, sizeof(matvar_t*));
    for (size_t i = 0; i < count; ++i)
        strings.push_back(
            text_of(static_cast<matvar_t* const*>(cells->data)[i], fmt::format("{}({})", place, i + 1)));
    return strings;
}

}  // namespace mtlprune

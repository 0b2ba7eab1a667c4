#include "models/weights/weights_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <functional>
#include <optional>

#include "base/atomic_file.h"
#include "base/error.h"
#include "models/weights/archive.h"
#include "models/weights/pickle.h"
#include "models/weights/safetensors.h"

namespace mtlprune {
namespace {

constexpr const char* kWeightsFile = "weights file";
constexpr std::string_view kZip = "PK\x03\x04";
/// The pickle of 0x1950a86a20f9469cfc6c, with which files before PyTorch 1.6 start.
constexpr std::string_view kOldFormat("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);

std::optional<c10::ScalarType> type_of_storage(const std::string& storage) {
    static const std::map<std::string, c10::ScalarType> types = {
        {"FloatStorage", torch::kFloat},
        {"DoubleStorage", torch::kDouble},
        {"HalfStorage", torch::kHalf},
        {"BFloat16Storage", torch::kBFloat16},
        {"LongStorage", torch::kLong},
        {"IntStorage", torch::kInt},
        {"ShortStorage", torch::kShort},
        {"CharStorage", torch::kChar},
        {"ByteStorage", torch::kByte},
        {"BoolStorage", torch::kBool},
        {"ComplexFloatStorage", torch::kComplexFloat},
        {"ComplexDoubleStorage", torch::kComplexDouble}};
    const auto found = types.find(storage);
    return found == types.end() ? std::nullopt : std::optional(found->second);
}

/// Every element of the tensor lies in its storage.
bool fits(const PickledTensor& tensor) {
    if (tensor.offset < 0 || tensor.elements < 0 || tensor.sizes.size() != tensor.strides.size())
        return false;
    int64_t last = tensor.offset, count = 1;
    for (size_t axis = 0; axis < tensor.sizes.size(); ++axis) {
        const int64_t size = tensor.sizes[axis], stride = tensor.strides[axis];
        int64_t reach = 0;
        if (size < 0 || stride < 0 ||
            __builtin_mul_overflow(std::max<int64_t>(size - 1, 0), stride, &reach) ||
            __builtin_add_overflow(last, reach, &last) || __builtin_mul_overflow(count, size, &count))
            return false;
    }
    return count == 0 || last < tensor.elements;
}

using ReadStorage = std::function<torch::Tensor(const PickledTensor&, c10::ScalarType)>;

/// Storages are read once.
TensorMap tensors_of(const PickledStateDict& state_dict, const std::string& place, const ReadStorage& read) {
    std::map<std::string, torch::Tensor> storages;
    TensorMap tensors;
    for (const auto& [name, stored] : state_dict) {
        const auto where = place + ": " + name;
        const auto type = type_of_storage(stored.type);
        if (!type) throw Error(kWeightsFile, where, "a dense tensor of a known type", stored.type);
        if (!fits(stored))
            throw Error(kWeightsFile, where,
                        fmt::format("elements within its storage of {}", stored.elements),
                        fmt::format("offset {}, sizes [{}], strides [{}]", stored.offset,
                                    fmt::join(stored.sizes, ", "), fmt::join(stored.strides, ", ")));
        auto& storage = storages[stored.storage];
        if (!storage.defined()) storage = read(stored, *type);
        if (storage.scalar_type() != *type || storage.numel() < stored.elements)
            throw Error(kWeightsFile, where, "a storage of one type and size", "two");
        tensors.emplace(name, storage.as_strided(stored.sizes, stored.strides, stored.offset));
    }
    return tensors;
}

/// "archive/data.pkl" -> "archive/"
std::string root_of(const Archive& archive, const std::string& place) {
    constexpr std::string_view kPickle = "data.pkl";
    for (const auto& name : archive.names())
        if (name.ends_with("constants.pkl"))
            throw Error(kWeightsFile, place, "a state dict",
                        "a TorchScript file (save its state_dict() instead)");
    for (const auto& name : archive.names())
        if (name.ends_with(kPickle)) return name.substr(0, name.size() - kPickle.size());
    throw Error(kWeightsFile, place, "a ZIP archive with data.pkl, as torch.save writes it",
                "another ZIP archive");
}

TensorMap read_zip(const std::string& bytes, const std::string& place) {
    const Archive archive(bytes, place);
    const auto root = root_of(archive, place);
    if (archive.size(root + "byteorder") && archive.read(root + "byteorder") != "little")
        throw Error(kWeightsFile, place, "little-endian numbers", "big-endian ones");
    size_t end = 0;
    return tensors_of(read_state_dict_pickle(archive.read(root + "data.pkl"), place, end), place,
                      [&](const PickledTensor& stored, c10::ScalarType type) {
                          const auto name = root + "data/" + stored.storage;
                          const auto size = archive.size(name);
                          const auto needed = static_cast<uint64_t>(stored.elements) * c10::elementSize(type);
                          if (!size || *size != needed)
                              throw Error(kWeightsFile, place, fmt::format("{} bytes in '{}'", needed, name),
                                          size ? std::to_string(*size) : "nothing");
                          auto storage = torch::empty({stored.elements}, type);
                          archive.read(name, storage.data_ptr(), needed);
                          return storage;
                      });
}

/// Pickles of a magic number, the version, the system, the object and the storages' keys; then each storage
/// as its number of elements and its bytes.
TensorMap read_old(const std::string& bytes, const std::string& place) {
    std::string_view rest = bytes;
    const auto advance = [&](size_t count) {
        if (count > rest.size()) throw Error(kWeightsFile, place, "all storages", "the end of the file");
        rest.remove_prefix(count);
    };
    advance(kOldFormat.size());
    size_t end = 0;
    for (int pickle = 0; pickle < 2; ++pickle) {
        skip_pickle(rest, place, end);
        advance(end);
    }
    const auto state_dict = read_state_dict_pickle(rest, place, end);
    advance(end);
    const auto keys = read_list_pickle(rest, place, end);
    advance(end);
    std::map<std::string, c10::ScalarType> types;
    for (const auto& [name, stored] : state_dict)
        if (const auto type = type_of_storage(stored.type)) types.emplace(stored.storage, *type);
    std::map<std::string, torch::Tensor> storages;
    for (const auto& key : keys) {
        const auto type = types.find(key);
        int64_t count = 0;
        if (rest.size() < sizeof(count) || type == types.end())
            throw Error(kWeightsFile, place, "the storage of a tensor of its state dict", "storage " + key);
        std::memcpy(&count, rest.data(), sizeof(count));
        advance(sizeof(count));
        const size_t width = c10::elementSize(type->second);
        if (count < 0 || static_cast<size_t>(count) > rest.size() / width)
            throw Error(kWeightsFile, place, "all storages", "the end of the file");
        auto& storage = storages[key] = torch::empty({count}, type->second);
        std::memcpy(storage.data_ptr(), rest.data(), static_cast<size_t>(count) * width);
        advance(static_cast<size_t>(count) * width);
    }
    return tensors_of(state_dict, place, [&](const PickledTensor& stored, c10::ScalarType) {
        const auto found = storages.find(stored.storage);
        if (found == storages.end())
            throw Error(kWeightsFile, place, "storage " + stored.storage, "no storage of this key");
        return found->second;
    });
}

}  // namespace

TensorMap read_weights(const std::filesystem::path& path) {
    const std::string bytes = read_file(path, kWeightsFile), place = path.string();
    if (bytes.starts_with(kZip)) return read_zip(bytes, place);
    if (bytes.starts_with(kOldFormat)) return read_old(bytes, place);
    if (is_safetensors(bytes)) return read_safetensors(bytes, place);
    throw Error(kWeightsFile, place, "a state dict of torch.save, or a safetensors file",
                bytes.empty() ? "an empty file" : "another kind of file");
}

}  // namespace mtlprune

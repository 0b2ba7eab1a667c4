#include "training/checkpoint.h"

#include <caffe2/serialize/inline_container.h>
#include <fmt/format.h>
#include <torch/csrc/jit/serialization/pickler.h>
#include <torch/serialize.h>
#include <torch/utils.h>

#include <cstring>
#include <set>
#include <sstream>

#include "base/atomic_file.h"
#include "base/error.h"

namespace mtlprune {
namespace {

constexpr const char* kFileSubject = "tensor file";
const std::string kChecksumName = "sha256";

std::string_view bytes_of(const torch::Tensor& tensor) {
    return {static_cast<const char*>(tensor.data_ptr()), tensor.nbytes()};
}

/// Contiguous tensors on the CPU, each the only user of a storage of exactly its size: the pickler writes
/// whole storages, and shared ones only once, so that equal values would not give equal files.
TensorMap plain_copies(const std::filesystem::path& path, const TensorMap& tensors) {
    TensorMap plain;
    std::set<const void*> storages;
    for (const auto& [name, tensor] : tensors) {
        if (name == kChecksumName)
            throw Error(kFileSubject, path.string(), "tensor names other than the reserved 'sha256'",
                        "'sha256'");
        if (!tensor.defined() || tensor.layout() != torch::kStrided || tensor.is_quantized())
            throw Error(kFileSubject, path.string() + ": " + name, "a dense tensor", "another kind");
        auto copy = tensor.detach().cpu().contiguous().resolve_conj().resolve_neg();
        const bool whole = copy.storage().nbytes() == copy.nbytes();
        if (!whole || !storages.insert(copy.storage().unsafeGetStorageImpl()).second)
            storages.insert((copy = copy.clone()).storage().unsafeGetStorageImpl());
        plain.emplace(name, std::move(copy));
    }
    return plain;
}

/// SHA-256 over the sorted names, types, shapes and the SHA-256 of the bytes, as 64 ASCII digits in a uint8
/// tensor.
torch::Tensor checksum(const TensorMap& plain) {
    std::ostringstream table;
    for (const auto& [name, tensor] : plain)
        table << name << '\n'
              << tensor.scalar_type() << ' ' << tensor.sizes() << ' '
              << sha256_hex(std::string(bytes_of(tensor))) << '\n';
    const std::string digest = sha256_hex(table.str());
    auto entry = torch::empty({static_cast<int64_t>(digest.size())}, torch::kUInt8);
    std::memcpy(entry.data_ptr(), digest.data(), digest.size());
    return entry;
}

/// The bytes of torch.save(dict). torch::pickle_save would add type tags, which Python's torch.load refuses
/// unless told to trust the file.
std::string pickled(const c10::Dict<std::string, at::Tensor>& entries) {
    std::string program;
    torch::jit::Pickler pickler([&](const char* data, size_t size) { program.append(data, size); },
                                /*tensor_table=*/nullptr, /*type_renamer=*/nullptr,
                                /*memoized_class_types=*/nullptr,
                                /*get_tensor_id=*/nullptr, /*tag_aggregates=*/false);
    pickler.protocol();
    pickler.pushIValue(entries);
    pickler.stop();
    std::string archive;
    caffe2::serialize::PyTorchStreamWriter writer([&](const void* data, size_t size) {
        archive.append(static_cast<const char*>(data), size);
        return size;
    });
    size_t number = 0;
    for (const auto& tensor : pickler.tensorData())
        writer.writeRecord(fmt::format("data/{}", number++), tensor.data_ptr(), tensor.nbytes());
    writer.writeRecord("data.pkl", program.data(), program.size());
    writer.writeEndOfFile();
    return archive;
}

/// Takes the checksum out of the entries and verifies it; false when there is none.
bool verify_checksum(TensorMap& entries, const std::filesystem::path& path) {
    const auto it = entries.find(kChecksumName);
    if (it == entries.end()) return false;
    const auto stored = it->second;
    entries.erase(it);
    const auto computed = checksum(plain_copies(path, entries));
    if (stored.scalar_type() != torch::kUInt8 || !stored.equal(computed))
        throw Error(kFileSubject, path.string(),
                    fmt::format("the content to have SHA-256 {}", bytes_of(computed)),
                    fmt::format("the recorded {}",
                                stored.nbytes() == 64 ? bytes_of(stored.contiguous()) : "nonsense"));
    return true;
}

}  // namespace

TensorMap load_pickle(const std::filesystem::path& path) {
    auto entries = read_weights(path);
    const auto it = entries.find(kChecksumName);
    if (it != entries.end() && it->second.scalar_type() == torch::kUInt8) verify_checksum(entries, path);
    return entries;
}

void save_tensors(const std::filesystem::path& path, const TensorMap& tensors) {
    torch::NoGradGuard no_grad;
    const auto plain = plain_copies(path, tensors);
    c10::Dict<std::string, at::Tensor> entries;
    entries.insert(kChecksumName, checksum(plain));
    for (const auto& [name, tensor] : plain) entries.insert(name, tensor);
    write_file_atomically(path, pickled(entries));
}

TensorMap load_tensors(const std::filesystem::path& path) {
    auto entries = read_weights(path);
    if (!verify_checksum(entries, path))
        throw Error(kFileSubject, path.string(), "an entry 'sha256' (a file that save_tensors wrote)",
                    "none");
    return entries;
}

torch::Tensor text_tensor(const std::string& text) {
    auto tensor = torch::empty({static_cast<int64_t>(text.size())}, torch::kByte);
    std::copy(text.begin(), text.end(), tensor.data_ptr<uint8_t>());
    return tensor;
}

std::string tensor_text(const torch::Tensor& tensor) {
    const auto bytes = tensor.contiguous();
    const auto* data = bytes.data_ptr<uint8_t>();
    return {data, data + bytes.numel()};
}

TensorMap with_prefix(const std::string& prefix, const TensorMap& tensors) {
    TensorMap result;
    for (const auto& [name, tensor] : tensors) result[prefix + name] = tensor;
    return result;
}

TensorMap entries_of(const std::string& prefix, const TensorMap& tensors) {
    TensorMap result;
    for (auto it = tensors.lower_bound(prefix); it != tensors.end() && it->first.rfind(prefix, 0) == 0; ++it)
        result[it->first.substr(prefix.size())] = it->second;
    return result;
}

}  // namespace mtlprune

#include "cli/script_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/error.h"
#include "base/torch_message.h"
#include "datasets/codecs/zip_file.h"

namespace mtlprune::cli {
namespace {

constexpr const char* kTensors =
    "tensors alone (a state dict): in Python, load them into the model and save torch.jit.script(model) or "
    "torch.jit.trace(model, inputs)";
constexpr const char* kPickled =
    "a module pickled by torch.save: in Python, load it and save torch.jit.script(model) or "
    "torch.jit.trace(model, inputs)";

std::string beginning_of(const std::string& path) {
    std::string bytes(512, '\0');
    std::ifstream file(path, std::ios::binary);
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<size_t>(file.gcount()));
    return bytes;
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// What the members of an archive tell; "" of one of TorchScript or unknown kind.
std::string archive_kind(const std::string& path) {
    const auto members = zip_members(path);
    const auto member_with = [&](const std::string& part) {
        return std::find_if(members.begin(), members.end(),
                            [&](const std::string& member) { return holds(member, part); });
    };
    if (member_with("/code/") != members.end()) return "";
    if (member_with("serialized_exported_program") != members.end() ||
        member_with("archive_format") != members.end() || member_with("models/model.json") != members.end())
        return "a program of torch.export: in Python, save torch.jit.trace(torch.export.load(file).module(), "
               "inputs)";
    const auto pickle = member_with("data.pkl");
    if (pickle != members.end())
        return holds(read_zip_member(path, *pickle), "_modules") ? kPickled : kTensors;
    return member_with(".npy") != members.end() ? "an archive of NumPy arrays" : "";
}

bool is_safetensors(const std::string& bytes) {
    return bytes.size() > 10 && bytes[8] == '{' && bytes[7] == 0 && bytes[6] == 0 && bytes[5] == 0;
}

/// "" of what may be a TorchScript file.
std::string kind_of_file(const std::string& path) {
    const auto bytes = beginning_of(path);
    const auto starts = [&](const std::string& start) { return bytes.rfind(start, 0) == 0; };
    if (bytes.empty()) return "an empty file";
    if (starts("PK")) return archive_kind(path);
    if (starts("\x80\x02")) return holds(bytes, "torch.nn.modules") ? kPickled : kTensors;
    if (starts("\x89HDF")) return "an HDF5 file (Keras and others)";
    if (starts("version https://git-lfs"))
        return "a pointer of Git LFS: git lfs pull fetches the file itself";
    if (starts("<")) return "a web page, perhaps that of a download that failed";
    if (is_safetensors(bytes)) return std::string("safetensors, ") + kTensors;
    const bool is_onnx =
        std::filesystem::path(path).extension() == ".onnx" || holds(bytes.substr(0, 64), "onnx");
    if (starts("\x08") && (is_onnx || holds(bytes.substr(0, 64), "pytorch")))
        return "an ONNX file: save the network that it was exported from by torch.jit.trace(model, inputs)";
    return "";
}

}  // namespace

torch::jit::Module load_script(const std::string& path) {
    constexpr const char* kExpected = "a module saved by torch.jit.save";
    if (!std::filesystem::is_regular_file(path)) throw Error("TorchScript file", path, "a file", "none");
    const auto kind = kind_of_file(path);
    if (!kind.empty()) throw Error("TorchScript file", path, kExpected, kind);
    try {
        auto module = torch::jit::load(path, torch::kCPU);
        module.eval();
        return module;
    } catch (const std::exception& error) {
        throw Error("TorchScript file", path, kExpected, torch_message(error));
    }
}

}  // namespace mtlprune::cli

// TorchScript files, and what Python makes of them.
#pragma once

#include <fmt/format.h>
#include <sys/wait.h>
#include <torch/script.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "models/weights/torchscript.h"
#include "tests/tiny_models.h"

namespace mtlprune {

/// Images of the spec's smallest size, [batch,3,S,S].
inline torch::Tensor tiny_images(const std::string& spec, int64_t batch) {
    const int64_t side = tiny_side(spec);
    return torch::rand({batch, 3, side, side}, at::detail::createCPUGenerator(4));
}

/// Writes NAME.pt, traced with one image, and as NAME.expected.pt what the model makes of two.
inline void export_with_expectation(Model& model, const std::string& spec,
                                    const std::filesystem::path& folder, const std::string& name) {
    to_torchscript(model, tiny_images(spec, 1)).save((folder / (name + ".pt")).string());
    torch::jit::Module expected("Expected");
    expected.register_buffer("image", tiny_images(spec, 2));
    const auto predictions = model.forward(tiny_images(spec, 2));
    for (size_t t = 0; t < predictions.size(); ++t)
        expected.register_buffer(fmt::format("prediction{}", t), predictions[t]);
    expected.save((folder / (name + ".expected.pt")).string());
}

/// Whether Python computes what is expected of all networks in the folder; nothing where it has no PyTorch.
inline std::optional<bool> python_agrees(const std::filesystem::path& folder) {
    const std::string script = std::string(MTLPRUNE_SOURCE_DIR) + "/tests/models/run_torchscript.py";
    const int status =
        std::system(fmt::format("/usr/bin/python3 '{}' '{}'", script, folder.string()).c_str());
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return std::nullopt;
    return status == 0;
}

}  // namespace mtlprune

#include "bench/kit/engines/placement_options.h"

#include <torch/cuda.h>
#include <torch/utils.h>

#include "base/enum_names.h"

namespace mtlprune {
namespace {

const EnumNames<torch::ScalarType> kTypes = {
    {torch::kFloat32, "float32"}, {torch::kBFloat16, "bfloat16"}, {torch::kFloat16, "float16"}};
const EnumNames<bool> kLayouts = {{false, "contiguous"}, {true, "channels_last"}};
const EnumNames<torch::DeviceType> kDevices = {{torch::kCPU, "cpu"}, {torch::kCUDA, "cuda"}};

}  // namespace

std::string PlacementOptions::missing() const {
    if (device.is_cuda()) return torch::cuda::is_available() ? "" : "no CUDA device";
    return dtype == torch::kFloat16 ? "no float16 convolutions on the CPU" : "";
}

double PlacementOptions::tolerance() const {
    if (dtype == torch::kFloat32) return 1e-3;
    return dtype == torch::kFloat16 ? 2e-2 : 1e-1;
}

torch::Tensor PlacementOptions::place(const torch::Tensor& image) const {
    return image.to(device, dtype, /*non_blocking=*/false, /*copy=*/true,
                    channels_last ? torch::MemoryFormat::ChannelsLast : torch::MemoryFormat::Contiguous);
}

void PlacementOptions::place(Model& model) const {
    model.eval();
    model.to(device, dtype);
    for (auto& parameter : model.parameters()) {
        parameter.requires_grad_(false);
        if (channels_last && parameter.dim() == 4)
            parameter.set_data(parameter.contiguous(torch::MemoryFormat::ChannelsLast));
    }
}

void PlacementOptions::synchronise() const {
    if (device.is_cuda()) torch::cuda::synchronize();
}

std::vector<Option> placement_options() {
    return {{"layout", "contiguous", "of maps and weights", kLayouts.names()},
            {"dtype", "float32", "of maps and weights", kTypes.names()},
            {"device", "cpu", "where it runs", kDevices.names()}};
}

PlacementOptions read_placement_options(const nlohmann::json& options) {
    return {kLayouts.value(options.at("layout").get<std::string>(), "layout"),
            kTypes.value(options.at("dtype").get<std::string>(), "dtype"),
            kDevices.value(options.at("device").get<std::string>(), "device")};
}

std::vector<torch::Tensor> as_outputs(const std::vector<torch::Tensor>& predictions) {
    std::vector<torch::Tensor> outputs;
    for (const auto& prediction : predictions)
        outputs.push_back(prediction.to(torch::kCPU, torch::kFloat32).contiguous());
    return outputs;
}

}  // namespace mtlprune

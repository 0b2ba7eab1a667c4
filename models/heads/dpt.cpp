// The dense prediction transformer's decoder (Ranftl, Bochkovskiy, Koltun, ICCV 2021) on four maps of one
// size, without the class token ("ignore" in the paper's section 3) and with its head for depth for all
// tasks.
#include <fmt/format.h>
#include <torch/nn/modules/conv.h>

#include "models/heads/map_task.h"
#include "models/layers/conv2d.h"

namespace mtlprune {
namespace {

constexpr size_t kDptMaps = 4;

/// Enlarges level 0 by 4, 1 by 2, keeps 2 and halves 3.
struct ReassembleImpl : torch::nn::Module {
    ReassembleImpl(size_t level, int64_t in_channels, int64_t hidden);
    torch::Tensor forward(const torch::Tensor& map);
    Conv2d project{nullptr}, halve{nullptr}, adapt{nullptr};
    torch::nn::ConvTranspose2d enlarge{nullptr};
};
TORCH_MODULE(Reassemble);

ReassembleImpl::ReassembleImpl(size_t level, int64_t in_channels, int64_t hidden) {
    const int64_t channels = std::max<int64_t>(1, in_channels >> (kDptMaps - 1 - level));
    project = register_module("project", same_convolution(in_channels, channels, 1));
    if (level < 2) {
        const int64_t factor = level == 0 ? 4 : 2;
        enlarge = register_module(
            "enlarge", torch::nn::ConvTranspose2d(
                           torch::nn::ConvTranspose2dOptions(channels, channels, factor).stride(factor)));
    }
    if (level == 3)
        halve = register_module("halve",
                                Conv2d(torch::nn::Conv2dOptions(channels, channels, 3).stride(2).padding(1)));
    adapt = register_module("adapt",
                            Conv2d(torch::nn::Conv2dOptions(channels, hidden, 3).padding(1).bias(false)));
}

torch::Tensor ReassembleImpl::forward(const torch::Tensor& map) {
    auto x = project(map);
    if (enlarge) x = enlarge(x);
    if (halve) x = halve(x);
    return adapt(x);
}

/// x + conv(relu(conv(relu(x))))
struct ResidualUnitImpl : torch::nn::Module {
    explicit ResidualUnitImpl(int64_t channels)
        : conv1(register_module("conv1", same_convolution(channels, channels, 3))),
          conv2(register_module("conv2", same_convolution(channels, channels, 3))) {}
    torch::Tensor forward(const torch::Tensor& x) { return x + conv2(torch::relu(conv1(torch::relu(x)))); }
    Conv2d conv1, conv2;
};
TORCH_MODULE(ResidualUnit);

/// Joins what comes from coarser levels with a level's map; the coarsest has only its map.
struct FusionImpl : torch::nn::Module {
    FusionImpl(int64_t channels, bool is_coarsest) {
        if (!is_coarsest) unit1 = register_module("unit1", ResidualUnit(channels));
        unit2 = register_module("unit2", ResidualUnit(channels));
        out = register_module("out", same_convolution(channels, channels, 1));
    }
    /// Twice as large as the map; `coarser` is undefined for the coarsest.
    torch::Tensor forward(const torch::Tensor& coarser, const torch::Tensor& map) {
        auto x = coarser.defined() ? coarser + unit1(map) : map;
        x = unit2(x);
        return out(torch::upsample_bilinear2d(x, {2 * x.size(2), 2 * x.size(3)}, /*align_corners=*/true));
    }
    ResidualUnit unit1{nullptr}, unit2{nullptr};
    Conv2d out{nullptr};
};
TORCH_MODULE(Fusion);

struct Dpt : Head {
    Dpt(const std::vector<MapShape>& maps, int64_t hidden, int64_t out_channels);
    torch::Tensor forward(const FeatureMaps& features) override;
    std::vector<Reassemble> reassemble;
    std::vector<Fusion> fusion;
    Conv2d out1{nullptr}, out2{nullptr}, out3{nullptr};
};

Dpt::Dpt(const std::vector<MapShape>& maps, int64_t hidden, int64_t out_channels) {
    if (hidden < 2) throw Error("head dpt", "hidden", "at least 2", std::to_string(hidden));
    auto levels = register_module("reassemble", std::make_shared<torch::nn::Module>());
    auto fusions = register_module("fusion", std::make_shared<torch::nn::Module>());
    for (size_t i = 0; i < kDptMaps; ++i) {
        reassemble.push_back(
            levels->register_module(std::to_string(i), Reassemble(i, maps[i].channels, hidden)));
        fusion.push_back(fusions->register_module(std::to_string(i), Fusion(hidden, i + 1 == kDptMaps)));
    }
    const int64_t last = std::max<int64_t>(1, hidden / 8);
    auto out = register_module("out", std::make_shared<torch::nn::Module>());
    out1 = out->register_module("0", same_convolution(hidden, hidden / 2, 3));
    out2 = out->register_module("2", same_convolution(hidden / 2, last, 3));
    out3 = out->register_module("4", same_convolution(last, out_channels, 1));
}

torch::Tensor Dpt::forward(const FeatureMaps& features) {
    torch::Tensor x;
    for (size_t i = kDptMaps; i-- > 0;) {
        const auto map = reassemble[i](features[i]);
        // Halving an odd size rounds up: then the coarser path is a row too large.
        if (x.defined() && x.sizes().slice(2) != map.sizes().slice(2))
            x = resized_like(x, map, /*align_corners=*/true);
        x = fusion[i](x, map);
    }
    x = out1(x);
    x = torch::upsample_bilinear2d(x, {2 * x.size(2), 2 * x.size(3)}, /*align_corners=*/true);
    return out3(torch::relu(out2(x)));
}

}  // namespace

HeadRegistry::Entry dpt_head() {
    return {{.key = "dpt",
             .summary = "four maps of a transformer as a pyramid, fused; predicts at 16 times their size",
             .paper = "Ranftl, Bochkovskiy, Koltun, DPT, ICCV 2021",
             .options = {{"hidden", 256, "channels of every fusion"}}},
            [](const nlohmann::json& options, const std::vector<MapShape>& maps, const TaskSpec& task) {
                require_map_task("dpt", task);
                for (const auto& map : maps)
                    if (maps.size() != kDptMaps || map.stride != maps[0].stride)
                        throw Error("head dpt", "maps", "four of one size", fmt::format("{}", maps.size()));
                return std::make_unique<Dpt>(maps, options.at("hidden").get<int64_t>(), task.channels);
            }};
}

}  // namespace mtlprune

#include "pruning/evidence/layer_rows.h"

#include <torch/utils.h>

#include <string>

#include "base/error.h"

namespace mtlprune {
namespace {

using torch::indexing::Slice;

/// Both sides of a convolution's option, which may be given as one number.
std::array<int64_t, 2> both_sides(const c10::IValue& option) {
    const auto list = option.isInt() ? std::vector<int64_t>{option.toInt()} : option.toIntVector();
    return {list.front(), list.back()};
}

torch::Tensor drawn_places(int64_t all, int64_t count, uint64_t key) {
    if (all <= count) return torch::arange(all);
    return torch::randint(all, {count}, at::detail::createCPUGenerator(key), torch::kLong);
}

/// [N,I,K] of the places (numbers of [B,H',W']) of a convolution's output.
torch::Tensor convolution_rows(const LayerCall& call, const torch::Tensor& places) {
    const auto stride = both_sides(call.arguments.at(3)), padding = both_sides(call.arguments.at(4)),
               dilation = both_sides(call.arguments.at(5));
    const auto padded = at::constant_pad_nd(call.input, {padding[1], padding[1], padding[0], padding[0]});
    const int64_t width = call.output.size(3), area = call.output.size(2) * width;
    const auto on_device = places.to(padded.device());
    const auto image = on_device.div(area, "floor"), within = on_device.remainder(area);
    const auto y = within.div(width, "floor") * stride[0], x = within.remainder(width) * stride[1];
    const auto kernel = call.arguments.at(1).toTensor().sizes();
    std::vector<torch::Tensor> taps;
    for (int64_t i = 0; i < kernel[2]; ++i)
        for (int64_t j = 0; j < kernel[3]; ++j)
            taps.push_back(padded.index({image, Slice(), y + i * dilation[0], x + j * dilation[1]}));
    return torch::stack(taps, 2);
}

/// [N,I] or [N,I,K] -> [N,C,per_channel*K], index 0 of the member at `first`.
torch::Tensor of_channels(const torch::Tensor& values, const Member& member, int64_t first = 0) {
    const auto indices = (torch::tensor(member.indices, torch::kLong) + first).to(values.device());
    const auto channels = static_cast<int64_t>(member.indices.size()) / member.per_channel;
    return values.index_select(1, indices).reshape({values.size(0), channels, -1}).to(torch::kDouble);
}

/// Groups of a convolution that is not transposed.
int64_t convolution_groups(const LayerCall& call) {
    const auto* form = call.op->convolution;
    const auto& arguments = call.arguments;
    const bool plain = form != nullptr && !form->always_transposed && arguments.at(4).isIntList() &&
                       (form->is_transposed == 0 || !arguments.at(form->is_transposed).toBool());
    if (!plain)
        throw Error("layer", call.weight, "a convolution that is not transposed, or a linear layer",
                    "another one");
    return arguments.at(form->groups).toInt();
}

std::vector<LayerRows> convolution_blocks(const LayerCall& call, const torch::Tensor& weight,
                                          const Member& member, int64_t count, uint64_t key) {
    const int64_t groups = convolution_groups(call), outputs = weight.size(0) / groups;
    const int64_t all = call.output.numel() / call.output.size(1);
    const auto rows = convolution_rows(call, drawn_places(all, count, key));
    std::vector<LayerRows> blocks;
    for (int64_t g = 0; g < groups; ++g)
        blocks.push_back({of_channels(rows, member, g * weight.size(1)),
                          of_channels(weight.narrow(0, g * outputs, outputs).flatten(2), member)});
    return blocks;
}

}  // namespace

LayerRows sample_rows(const Evidence& evidence, const LayerCall& call, const Member& member, int64_t count,
                      uint64_t key) {
    auto blocks = sample_blocks(evidence, call, member, count, key);
    if (blocks.size() > 1)
        throw Error("layer", call.weight, "a convolution of one group, or a linear layer",
                    std::to_string(blocks.size()) + " groups");
    return std::move(blocks.front());
}

std::vector<LayerRows> sample_blocks(const Evidence& evidence, const LayerCall& call, const Member& member,
                                     int64_t count, uint64_t key) {
    auto weight = evidence.tensors().at(member.tensor).detach();
    if (weight.dim() > 2) return convolution_blocks(call, weight, member, count, key);
    if (member.dim == 0) weight = weight.t();  // x times the weight as it is stored
    const auto rows = call.input.reshape({-1, call.input.size(-1)});
    const auto drawn = rows.index_select(0, drawn_places(rows.size(0), count, key).to(rows.device()));
    return {{of_channels(drawn, member), of_channels(weight, member)}};
}

}  // namespace mtlprune

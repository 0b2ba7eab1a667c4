#include "pruning/masks/weight_masks.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune {
namespace {

constexpr const char* kMasks = "weight masks";

torch::Tensor bit_values() {
    return torch::tensor({1, 2, 4, 8, 16, 32, 64, 128}, torch::kByte);
}

torch::Tensor packed(const torch::Tensor& kept) {
    const auto flat = kept.to(torch::kCPU).reshape({-1});
    const int64_t bytes = (flat.numel() + 7) / 8;
    auto padded = torch::zeros({8 * bytes}, torch::kByte);
    padded.narrow(0, 0, flat.numel()).copy_(flat);
    return (padded.view({bytes, 8}) * bit_values()).sum(1, /*keepdim=*/false, torch::kByte);
}

torch::Tensor unpacked(const torch::Tensor& bits, at::IntArrayRef shape) {
    const auto flat = bits.unsqueeze(1).bitwise_and(bit_values()).ne(0).reshape({-1});
    return flat.narrow(0, 0, c10::multiply_integers(shape)).reshape(shape).clone();
}

const torch::Tensor& entry(const TensorMap& state, const std::string& name, torch::Dtype type,
                           const std::string& place) {
    const auto found = state.find(name);
    if (found == state.end()) throw Error(kMasks, place + ": " + name, "an entry", "nothing");
    if (found->second.scalar_type() != type)
        throw Error(kMasks, place + ": " + name, c10::toString(type),
                    c10::toString(found->second.scalar_type()));
    return found->second;
}

LayerMask read_layer(const TensorMap& state, const std::string& name, const std::string& task,
                     const std::string& place) {
    const auto sizes = entry(state, name + ".shape", torch::kLong, place).contiguous();
    const std::vector<int64_t> shape(sizes.data_ptr<int64_t>(), sizes.data_ptr<int64_t>() + sizes.numel());
    const auto& bits = entry(state, name + ".bits", torch::kByte, place);
    const bool sensible = std::all_of(shape.begin(), shape.end(), [](int64_t size) { return size > 0; });
    const int64_t bytes = sensible ? (c10::multiply_integers(shape) + 7) / 8 : -1;
    if (bits.dim() != 1 || bits.numel() != bytes)
        throw Error(kMasks, place + ": " + name,
                    fmt::format("eight weights per byte of a shape {}", c10::str(at::IntArrayRef(shape))),
                    fmt::format("{} bytes", bits.numel()));
    return {name, task, unpacked(bits, shape)};
}

KeptCount operator+(const KeptCount& a, const KeptCount& b) {
    return {a.kept + b.kept, a.all + b.all};
}

}  // namespace

KeptCount LayerMask::count() const {
    return {kept.sum().item<int64_t>(), kept.numel()};
}

WeightMasks::WeightMasks(std::vector<LayerMask> layers) : layers_(std::move(layers)) {
    std::set<std::string> names;
    for (const auto& layer : layers_) {
        if (layer.kept.scalar_type() != torch::kBool)
            throw Error(kMasks, layer.name, "a mask of type Bool", c10::toString(layer.kept.scalar_type()));
        if (!names.insert(layer.name).second) throw Error(kMasks, layer.name, "one mask", "two");
    }
}

WeightMasks WeightMasks::all_kept(const std::vector<MaskableWeight>& weights) {
    std::vector<LayerMask> layers;
    for (const auto& weight : weights)
        layers.push_back(
            {weight.name, weight.task, torch::ones_like(weight.parameter, torch::kBool).detach()});
    return WeightMasks(std::move(layers));
}

WeightMasks WeightMasks::of_values(const std::vector<MaskableWeight>& weights) {
    std::vector<LayerMask> layers;
    for (const auto& weight : weights)
        layers.push_back({weight.name, weight.task, weight.parameter.detach().ne(0)});
    return WeightMasks(std::move(layers));
}

bool WeightMasks::contains(const std::string& name) const {
    return std::any_of(layers_.begin(), layers_.end(), [&](const auto& layer) { return layer.name == name; });
}

const torch::Tensor& WeightMasks::at(const std::string& name) const {
    for (const auto& layer : layers_)
        if (layer.name == name) return layer.kept;
    throw Error(kMasks, name, "a mask", "none");
}

KeptCount WeightMasks::count() const {
    KeptCount sum;
    for (const auto& layer : layers_) sum = sum + layer.count();
    return sum;
}

KeptCount WeightMasks::count_shared() const {
    return count_of("");
}

KeptCount WeightMasks::count_of(const std::string& task) const {
    KeptCount sum;
    for (const auto& layer : layers_)
        if (layer.task == task) sum = sum + layer.count();
    return sum;
}

std::vector<std::string> WeightMasks::tasks() const {
    std::vector<std::string> tasks;
    for (const auto& layer : layers_)
        if (!layer.task.empty() && std::find(tasks.begin(), tasks.end(), layer.task) == tasks.end())
            tasks.push_back(layer.task);
    return tasks;
}

void WeightMasks::apply(torch::nn::Module& module) const {
    const torch::NoGradGuard no_grad;
    auto parameters = module.named_parameters();
    for (const auto& layer : layers_) {
        auto* parameter = parameters.find(layer.name);
        if (parameter == nullptr || parameter->sizes() != layer.kept.sizes())
            throw Error(kMasks, layer.name,
                        fmt::format("a parameter of shape {}", c10::str(layer.kept.sizes())),
                        parameter == nullptr ? "none" : c10::str(parameter->sizes()));
        parameter->masked_fill_(layer.kept.to(parameter->device()).logical_not(), 0);
    }
}

TensorMap WeightMasks::state() const {
    TensorMap state;
    auto names = nlohmann::json::array();
    for (const auto& layer : layers_) {
        names.push_back({layer.name, layer.task});
        state[layer.name + ".bits"] = packed(layer.kept);
        state[layer.name + ".shape"] = torch::tensor(layer.kept.sizes(), torch::kLong);
    }
    state["layers"] = text_tensor(names.dump());
    return state;
}

WeightMasks WeightMasks::of_state(const TensorMap& state, const std::string& place) {
    const auto text = tensor_text(entry(state, "layers", torch::kByte, place));
    std::vector<LayerMask> layers;
    for (const auto& names : parse_json(text, place + ": layers")) {
        if (!names.is_array() || names.size() != 2 || !names[0].is_string() || !names[1].is_string())
            throw Error(kMasks, place + ": layers", "pairs of a parameter's and a task's name",
                        names.dump().substr(0, 40));
        layers.push_back(read_layer(state, names[0], names[1], place));
    }
    return WeightMasks(std::move(layers));
}

void WeightMasks::load_state(const TensorMap& state, const std::string& place) {
    auto loaded = of_state(state, place);
    for (size_t i = 0; i < layers_.size(); ++i) {
        const auto& expected = layers_[i];
        if (i >= loaded.layers_.size() || loaded.layers_[i].name != expected.name ||
            loaded.layers_[i].kept.sizes() != expected.kept.sizes())
            throw Error(kMasks, place + ": " + expected.name,
                        fmt::format("a mask of shape {}", c10::str(expected.kept.sizes())),
                        i >= loaded.layers_.size() ? "nothing" : "another layer's");
        loaded.layers_[i].kept = loaded.layers_[i].kept.to(expected.kept.device());
    }
    if (loaded.layers_.size() != layers_.size())
        throw Error(kMasks, place, fmt::format("{} layers", layers_.size()),
                    std::to_string(loaded.layers_.size()));
    layers_ = std::move(loaded.layers_);
}

void WeightMasks::save(const std::filesystem::path& file) const {
    save_tensors(file, state());
}

WeightMasks WeightMasks::load(const std::filesystem::path& file) {
    return of_state(load_tensors(file), file.string());
}

const EnumNames<Vote>& votes() {
    static const EnumNames<Vote> names = {
        {Vote::all, "all"}, {Vote::any, "any"}, {Vote::majority, "majority"}};
    return names;
}

int64_t keepers_needed(Vote vote, int64_t tasks) {
    if (vote == Vote::all) return 1;
    return vote == Vote::any ? tasks : (tasks + 1) / 2;
}

WeightMasks combined(const std::vector<WeightMasks>& of_tasks, Vote vote) {
    std::vector<std::pair<LayerMask, std::vector<torch::Tensor>>> found;
    for (const auto& masks : of_tasks)
        for (const auto& layer : masks.layers()) {
            auto place = std::find_if(found.begin(), found.end(),
                                      [&](const auto& known) { return known.first.name == layer.name; });
            if (place == found.end()) place = found.insert(found.end(), {layer, {}});
            place->second.push_back(layer.kept);
        }
    std::vector<LayerMask> layers;
    for (auto& [layer, kept] : found) {
        const auto keepers = torch::stack(kept).sum(0);
        layers.push_back(
            {layer.name, layer.task, keepers.ge(keepers_needed(vote, static_cast<int64_t>(kept.size())))});
    }
    return WeightMasks(std::move(layers));
}

std::vector<LayerOverlap> overlaps(const WeightMasks& a, const WeightMasks& b) {
    std::vector<LayerOverlap> layers;
    for (const auto& layer : a.layers()) {
        if (!b.contains(layer.name)) continue;
        const auto& other = b.at(layer.name);
        if (other.sizes() != layer.kept.sizes())
            throw Error(kMasks, layer.name, fmt::format("shape {}", c10::str(layer.kept.sizes())),
                        c10::str(other.sizes()));
        layers.push_back({layer.name, layer.kept.logical_and(other).sum().item<int64_t>(),
                          layer.kept.logical_or(other).sum().item<int64_t>()});
    }
    return layers;
}

LayerOverlap total(const std::vector<LayerOverlap>& layers) {
    LayerOverlap sum;
    for (const auto& layer : layers) {
        sum.both += layer.both;
        sum.either += layer.either;
    }
    return sum;
}

}  // namespace mtlprune

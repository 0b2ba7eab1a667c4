#include "pruning/surgery/kept_maps.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <map>

#include "base/error.h"

namespace mtlprune {
namespace {

std::string marker_name(size_t map) {
    return fmt::format("marker_of_map_{}", map);
}

/// Factors of one for every channel of every map: slices of them leave with the channels.
Coupling couple_with_markers(Model& dense, const torch::Tensor& example) {
    std::vector<torch::Tensor> markers;
    {
        const torch::NoGradGuard no_grad;
        const auto maps = dense.features(example);
        for (size_t m = 0; m < maps.size(); ++m)
            markers.push_back(
                dense.register_parameter(marker_name(m), torch::ones({maps[m].size(1)}, maps[m].options())));
    }
    const auto forward = [&](const std::vector<torch::Tensor>& inputs) {
        auto maps = dense.features(inputs.at(0));
        for (size_t m = 0; m < maps.size(); ++m) maps[m] = maps[m] * markers[m].view({1, -1, 1, 1});
        std::vector<torch::Tensor> predictions;
        for (size_t t = 0; t < dense.tasks().size(); ++t) predictions.push_back(dense.predict(t, maps));
        return predictions;
    };
    return couple(dense, forward, {example});
}

/// The step as one of these groups.
Plan plan_of_groups(const std::vector<Group>& groups, const Plan& step) {
    std::map<std::string, size_t> numbers;
    for (size_t g = 0; g < groups.size(); ++g) numbers[groups[g].name] = g;
    std::vector<std::vector<int64_t>> removed(groups.size());
    for (const auto& [group, channels] : step.groups) {
        const auto found = numbers.find(group);
        if (found == numbers.end()) throw Error("plan", "groups", "groups of the network", group);
        removed[found->second] = channels;
    }
    return make_plan(groups, removed, step.edit);
}

torch::Tensor without(int64_t count, const std::vector<int64_t>& removed) {
    std::vector<int64_t> kept;
    for (int64_t i = 0; i < count; ++i)
        if (!std::binary_search(removed.begin(), removed.end(), i)) kept.push_back(i);
    return torch::tensor(kept, torch::kLong);
}

}  // namespace

std::vector<torch::Tensor> kept_of_maps(Model& dense, const torch::Tensor& example,
                                        const std::vector<Plan>& steps) {
    const bool trained = dense.is_training();
    dense.eval();
    auto groups = couple_with_markers(dense, example).groups;
    dense.train(trained);
    std::vector<Plan> marked;
    for (const auto& step : steps) {
        marked.push_back(plan_of_groups(groups, step));
        remove_channels(groups, marked.back());
    }
    std::vector<torch::Tensor> kept;
    const auto parameters = dense.named_parameters();
    for (size_t m = 0; parameters.contains(marker_name(m)); ++m) kept.push_back({});
    const auto removed = slices_of_original(marked);
    for (size_t m = 0; m < kept.size(); ++m) {
        std::vector<int64_t> gone;
        for (const auto& slices : removed)
            if (slices.tensor == marker_name(m)) gone = slices.indices;
        kept[m] = without(parameters[marker_name(m)].numel(), gone);
    }
    return kept;
}

}  // namespace mtlprune

#include "models/weights/load_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>

#include "base/error.h"

namespace mtlprune {
namespace {

constexpr size_t kNamedEntries = 5;

/// The network's tensors under the names of a file.
using Targets = std::map<std::string, torch::Tensor>;

template <typename Rename>
Targets targets_of(const torch::nn::Module& module, Rename rename) {
    Targets targets;
    for (const auto& item : module.named_parameters()) targets.emplace(rename(item.key()), item.value());
    for (const auto& item : module.named_buffers()) targets.emplace(rename(item.key()), item.value());
    targets.erase("");  // what the released code does not have
    return targets;
}

/// The entries behind a prefix, if there are any; otherwise all.
TensorMap behind(std::string_view prefix, const TensorMap& weights) {
    TensorMap found;
    for (const auto& [name, tensor] : weights)
        if (name.starts_with(prefix)) found.emplace(name.substr(prefix.size()), tensor);
    return found.empty() ? weights : found;
}

/// Without what DataParallel and training checkpoints put before names, and without our checksum.
TensorMap plain_names(const TensorMap& weights) {
    auto plain = behind("model.", behind("module.", weights));
    plain.erase("sha256");
    return plain;
}

size_t common_names(const Targets& targets, const TensorMap& weights) {
    return static_cast<size_t>(std::count_if(
        weights.begin(), weights.end(), [&](const auto& entry) { return targets.contains(entry.first); }));
}

bool is_classifier(const std::string& name) {
    static constexpr std::array<std::string_view, 4> kPrefixes = {"fc.", "classifier.", "head.", "heads."};
    return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                       [&](std::string_view prefix) { return name.starts_with(prefix); });
}

bool counts_batches(const std::string& name) {
    return name.ends_with("num_batches_tracked");
}

WeightsReport compare(const Targets& targets, const TensorMap& weights, bool of_backbone) {
    WeightsReport report;
    for (const auto& [name, tensor] : weights) {
        const auto target = targets.find(name);
        if (target == targets.end())
            (of_backbone && is_classifier(name) ? report.left_out : report.unexpected).push_back(name);
        else if (target->second.sizes() != tensor.sizes())
            report.misshaped.push_back({name, target->second.sizes().vec(), tensor.sizes().vec()});
        else
            report.loaded.push_back(name);
    }
    for (const auto& [name, target] : targets)
        if (!weights.contains(name) && !counts_batches(name)) report.missing.push_back(name);
    return report;
}

std::string names_text(const std::vector<std::string>& names) {
    const size_t shown = std::min(names.size(), kNamedEntries);
    return fmt::format("{}{}", fmt::join(names.begin(), names.begin() + static_cast<int64_t>(shown), ", "),
                       shown < names.size() ? ", ..." : "");
}

}  // namespace

std::string WeightsReport::text() const {
    std::string text = fmt::format("loaded: {}\n", loaded.size());
    const auto add = [&](const char* what, const std::vector<std::string>& names) {
        if (!names.empty()) text += fmt::format("{}: {} ({})\n", what, names.size(), names_text(names));
    };
    add("left out (the released classifier)", left_out);
    add("missing", missing);
    add("unexpected", unexpected);
    std::vector<std::string> shapes;
    for (const auto& item : misshaped)
        shapes.push_back(fmt::format("{}: [{}] instead of [{}]", item.name, fmt::join(item.found, ", "),
                                     fmt::join(item.expected, ", ")));
    add("of another shape", shapes);
    return text;
}

WeightsReport load_weights(MultiTaskModel& model, const TensorMap& weights, const std::string& place,
                           bool strict) {
    const auto plain = plain_names(weights);
    const auto own = targets_of(model, [](const std::string& name) { return name; });
    const auto released = targets_of(
        model.backbone(), [&](const std::string& name) { return model.backbone().released_name(name); });
    const bool of_backbone = common_names(released, plain) > common_names(own, plain);
    const auto& targets = of_backbone ? released : own;
    auto report = compare(targets, plain, of_backbone);
    if (report.loaded.empty() || (strict && !report.is_complete()))
        throw Error("weights file", place,
                    fmt::format("the {} tensors of {}", targets.size(),
                                of_backbone ? "the backbone as released" : "the network"),
                    "\n" + report.text());
    const torch::NoGradGuard no_grad;
    for (const auto& name : report.loaded) torch::Tensor(targets.at(name)).copy_(plain.at(name));
    return report;
}

}  // namespace mtlprune

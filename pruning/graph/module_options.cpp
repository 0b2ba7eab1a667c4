#include "pruning/graph/module_options.h"

#include <torch/nn.h>

#include <string>
#include <unordered_map>

#include "pruning/ops/operator.h"

namespace mtlprune {
namespace {

using Rows =
    std::unordered_map<std::string, const std::vector<int64_t>*>;  ///< removed from dim 0, per tensor

/// Of all operators that C++ modules call.
const std::vector<ModuleOptions>& module_rules() {
    static const auto rules = [] {
        std::vector<ModuleOptions> found;
        for (const auto& op : operators())
            if (op.modules.refresh != nullptr) found.push_back(op.modules);
        return found;
    }();
    return rules;
}

void refresh_one(torch::nn::Module& module, const std::vector<int64_t>* removed_rows) {
    for (const auto& rule : module_rules())
        if (rule.refresh(module, removed_rows)) return;
}

}  // namespace

void refresh_options(torch::nn::Module& module, const Plan& plan) {
    Rows rows;
    for (const auto& removal : plan.slices)
        if (removal.dim == 0) rows[removal.tensor] = &removal.indices;
    const auto removed_from = [&](const std::string& tensor) {
        const auto found = rows.find(tensor);
        return found == rows.end() ? nullptr : found->second;
    };
    refresh_one(module, removed_from("weight"));
    for (const auto& child : module.named_modules("", /*include_self=*/false))
        refresh_one(*child.value(), removed_from(child.key() + ".weight"));
}

OptionsSnapshot::OptionsSnapshot(torch::nn::Module& module) : module_(module) {
    const auto snapshot = [&](torch::nn::Module& layer) {
        for (const auto& rule : module_rules())
            if (rule.remember != nullptr && rule.remember(layer, reset_)) return;
    };
    snapshot(module);
    for (const auto& child : module.modules(/*include_self=*/false)) snapshot(*child);
}

void OptionsSnapshot::restore() const {
    for (const auto& reset : reset_) reset();
    refresh_options(module_, {});
}

std::vector<AttentionModule> attention_modules(const torch::nn::Module& module) {
    std::vector<AttentionModule> found;
    const auto look = [&](const torch::nn::Module& layer, const std::string& prefix) {
        const auto* attention = dynamic_cast<const torch::nn::MultiheadAttentionImpl*>(&layer);
        if (attention != nullptr && attention->in_proj_weight.defined())
            found.push_back({prefix, attention->options.num_heads()});
    };
    // Without itself: a module on the stack cannot be listed among its modules.
    look(module, "");
    for (const auto& child : module.named_modules("", /*include_self=*/false))
        look(*child.value(), child.key() + ".");
    return found;
}

}  // namespace mtlprune

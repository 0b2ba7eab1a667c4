#include "pruning/criteria/pfp/group_sensitivity.h"

#include <torch/utils.h>

#include <algorithm>

#include "base/error.h"
#include "pruning/criteria/pfp/sample_draws.h"

namespace mtlprune {
namespace {

void merge(GroupSensitivity& into, const GroupSensitivity& more) {
    into.shares.largest = torch::maximum(into.shares.largest, more.shares.largest);
    into.shares.total = into.shares.total + more.shares.total;
    into.factor = std::max(into.factor, more.factor);
}

/// Of all positions of a sample's output, whatever is looked at.
double factor_of(const Evidence& batch, const LayerCall& call, const Member& member, double delta) {
    const auto& weight = batch.tensors().at(member.tensor);
    const bool convolution = weight.dim() > 2;
    const int64_t taps = convolution ? weight.numel() / (weight.size(0) * weight.size(1)) : 1;
    const int64_t outputs = call.output.size(convolution ? 1 : -1);
    const auto positions =
        static_cast<double>(call.output.numel()) / static_cast<double>(outputs * call.input.size(0));
    return draw_coefficient(1, positions, static_cast<double>(taps * member.per_channel), delta);
}

}  // namespace

void GroupSensitivities::add(const Evidence& batch, int64_t patches, double delta, uint64_t key) {
    for (size_t i = groups_.size(); i < batch.asked().size(); ++i) {
        const auto none = torch::zeros({batch.groups()[batch.asked()[i]].channels}, torch::kDouble);
        groups_.push_back({{none, none}, 0});
    }
    watch_layers(
        batch, [&] { batch.passes().outputs(batch.passes().input); },
        [&](const LayerCall& call) {
            for (const auto& [asked, member] : call.uses) {
                if (member->role != Role::input) continue;
                const double factor = factor_of(batch, call, *member, delta);
                for (const auto& block :
                     sample_blocks(batch, call, *member, patches, key + static_cast<uint64_t>(batches_))) {
                    const auto shares = answer_shares(block);
                    merge(groups_[asked], {{shares.largest.cpu(), shares.total.cpu()}, factor});
                }
            }
        });
    for (size_t i = 0; i < groups_.size(); ++i)
        if (groups_[i].factor == 0)
            throw Error("criterion pfp", "group " + batch.groups()[batch.asked()[i]].name,
                        "a convolution or linear layer that reads it", "none");
    ++batches_;
}

void GroupSensitivities::save(std::map<std::string, torch::Tensor>& state) const {
    state["batches"] = torch::tensor(batches_);
    for (size_t i = 0; i < groups_.size(); ++i) {
        const auto number = std::to_string(i);
        state["largest." + number] = groups_[i].shares.largest;
        state["total." + number] = groups_[i].shares.total;
        state["factor." + number] = torch::tensor(groups_[i].factor, torch::kDouble);
    }
}

void GroupSensitivities::load(const std::map<std::string, torch::Tensor>& state) {
    reset();
    batches_ = state.at("batches").item<int64_t>();
    for (size_t i = 0; state.count("factor." + std::to_string(i)) > 0; ++i) {
        const auto number = std::to_string(i);
        groups_.push_back({{state.at("largest." + number).clone(), state.at("total." + number).clone()},
                           state.at("factor." + number).item<double>()});
    }
}

}  // namespace mtlprune

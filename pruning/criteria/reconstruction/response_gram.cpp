#include "pruning/criteria/reconstruction/response_gram.h"

#include <torch/utils.h>

#include "base/error.h"

namespace mtlprune {
namespace {

/// Outputs that were masked answer nothing.
torch::Tensor answering(const torch::Tensor& weights) {
    return weights.index_select(0, weights.flatten(1).abs().amax(1).nonzero().squeeze(1));
}

/// [S,C]: of one output, drawn for each place, or of all outputs of all places.
torch::Tensor answers(const LayerRows& layer, Responses which, uint64_t key) {
    const auto weights = answering(layer.weights);
    if (which == Responses::all || weights.size(0) == 0)
        return torch::einsum("nck,ock->noc", {layer.rows, weights}).flatten(0, 1);
    const auto outputs = torch::randint(weights.size(0), {layer.rows.size(0)},
                                        at::detail::createCPUGenerator(key), torch::kLong);
    return (layer.rows * weights.index_select(0, outputs.to(weights.device()))).sum(2);
}

}  // namespace

void ResponseGrams::add(const Evidence& batch, Responses which, int64_t places, uint64_t key,
                        const std::string& criterion) {
    const torch::NoGradGuard no_grad;
    const bool first = grams_.empty();
    for (size_t i = 0; first && i < batch.asked().size(); ++i) {
        const int64_t channels = batch.groups()[batch.asked()[i]].channels;
        grams_.push_back(torch::zeros({channels, channels}, torch::kDouble));
        sums_.push_back(torch::zeros({channels}, torch::kDouble));
        counts_.push_back(torch::zeros({}, torch::kDouble));
    }
    std::vector<bool> read(batch.asked().size(), false);
    watch_layers(
        batch, [&] { batch.passes().outputs(batch.passes().input); },
        [&](const LayerCall& call) {
            for (const auto& [asked, member] : call.uses) {
                if (member->role != Role::input) continue;
                read[asked] = true;
                const auto x = answers(sample_rows(batch, call, *member, places, key), which, key + 1).cpu();
                grams_[asked] += x.t().mm(x);
                sums_[asked] += x.sum(0);
                counts_[asked] += x.size(0);
            }
        });
    for (size_t i = 0; i < read.size(); ++i)
        if (!read[i])
            throw Error("criterion " + criterion, "group " + batch.groups()[batch.asked()[i]].name,
                        "a convolution or linear layer that reads it", "none");
}

void ResponseGrams::reset() {
    grams_.clear();
    sums_.clear();
    counts_.clear();
}

torch::Tensor ResponseGrams::centred(size_t asked) const {
    return grams_.at(asked) - torch::outer(sums_.at(asked), sums_.at(asked)) / counts_.at(asked).clamp_min(1);
}

void ResponseGrams::save(std::map<std::string, torch::Tensor>& state) const {
    for (size_t i = 0; i < grams_.size(); ++i) {
        const auto number = std::to_string(i);
        state["gram." + number] = grams_[i];
        state["sum." + number] = sums_[i];
        state["count." + number] = counts_[i];
    }
}

void ResponseGrams::load(const std::map<std::string, torch::Tensor>& state) {
    reset();
    for (size_t i = 0; state.count("gram." + std::to_string(i)) > 0; ++i) {
        const auto number = std::to_string(i);
        grams_.push_back(state.at("gram." + number).clone());
        sums_.push_back(state.at("sum." + number).clone());
        counts_.push_back(state.at("count." + number).clone());
    }
}

}  // namespace mtlprune

// Optimal brain damage (LeCun et al., NeurIPS 1990) with the diagonal of the Hessian itself, by Hutchinson's
// estimate: the mean of z * (H z) over vectors z of random signs.
#include <torch/utils.h>

#include <map>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "pruning/criteria/pass_criterion.h"
#include "pruning/evidence/loss_curvature.h"

namespace mtlprune {
namespace {

/// The sum over a channel's weights of w^2 h / 2, mean over members and mini-batches: by how much the loss
/// grows, to second order, without them. Where that is negative, as it cannot be at a minimum, its absolute
/// value: the loss changes.
class ObdHutchinson : public PassCriterion {
  public:
    ObdHutchinson(int64_t draws, uint64_t seed)
        : PassCriterion("obd_hutchinson"), draws_(draws), seed_(seed) {}

    Scores scores(const Evidence& now) const override {
        auto result = PassCriterion::scores(now);
        for (auto& scores : result.scores) scores = scores.abs();
        return result;
    }

  protected:
    std::vector<torch::Tensor> contributions(const Evidence& batch) override {
        const auto diagonal = hessian_diagonal(batch);
        std::vector<torch::Tensor> all;
        for (const size_t number : batch.asked()) {
            const auto& group = batch.groups()[number];
            const auto members = batch.scored().of(group);
            auto sum = torch::zeros({group.channels}, torch::kDouble);
            for (const auto& [member, multiplicity] : members) {
                const auto& weight = batch.value(group, *member);
                const auto growth = weight.square() * diagonal.at(member->tensor) / 2;
                sum = sum.to(weight.device()) + Evidence::row_sums(Evidence::rows(*member, growth));
            }
            all.push_back(sum / static_cast<double>(members.size()));
        }
        return all;
    }

  private:
    ParameterTensors hessian_diagonal(const Evidence& batch) const {
        std::set<std::string> names;
        for (const size_t number : batch.asked())
            for (const auto& [member, multiplicity] : batch.scored().of(batch.groups()[number]))
                names.insert(member->tensor);
        const LossCurvature curvature(batch, {names.begin(), names.end()});
        std::map<std::string, RandomSigns> drawn;
        for (const auto& name : names) drawn.emplace(name, RandomSigns(batch.tensors().at(name)));
        ParameterTensors diagonal;
        for (int64_t draw = 0; draw < draws_; ++draw) {
            ParameterTensors signs;
            for (const auto& [name, of_weights] : drawn)
                signs[name] = of_weights.draw(
                    mix_key(seed_, Stream::method, static_cast<uint64_t>(draw), signs.size()));
            for (const auto& [name, product] : curvature.times(signs)) {
                const auto estimate = signs[name] * product / static_cast<double>(draws_);
                diagonal[name] = draw == 0 ? estimate : diagonal[name] + estimate;
            }
        }
        return diagonal;
    }

    int64_t draws_;
    uint64_t seed_;
};

}  // namespace

Registry<Criterion>::Entry obd_hutchinson_criterion() {
    return {
        {.key = "obd_hutchinson",
         .summary = "|w^2 times the Hessian's diagonal / 2|, summed over all weights that read or give the "
                    "channel; the diagonal by Hutchinson's estimate",
         .paper = "LeCun et al., Optimal Brain Damage, NeurIPS 1990 (weights of a channel, estimate: ours)",
         .options = {{"draws", 8, "Hessian-vector products for every mini-batch"},
                     {"seed", 0, "of their signs"}}},
        [](const nlohmann::json& options) {
            const auto draws = options.at("draws").get<int64_t>();
            if (draws < 1) throw Error("option", "draws", "at least 1", std::to_string(draws));
            return std::make_unique<ObdHutchinson>(draws, options.at("seed").get<uint64_t>());
        }};
}

}  // namespace mtlprune

// Optimal brain damage with the diagonal of the empirical Fisher matrix, sample by sample (LeCun et al.,
// NeurIPS 1990; DepGraph's OBD-Hessian; the C-OBD of EigenDamage).
#include <torch/autograd.h>
#include <torch/utils.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "pruning/criteria/pass_criterion.h"

namespace mtlprune {
namespace {

/// Which members count: all that Torch-Pruning asks, or the producers' own weights.
enum class ObdMembers { scored, produced };

std::vector<const Member*> obd_members(const Evidence& batch, size_t asked, ObdMembers which) {
    const auto& group = batch.groups()[batch.asked()[asked]];
    std::vector<const Member*> members;
    if (which == ObdMembers::scored)
        for (const auto& [member, multiplicity] : batch.scored().of(group)) members.push_back(member);
    else
        for (const auto& [member, multiplicity] : batch.scored().layers_of(group))
            if (member->role == Role::output) members.push_back(member);
    return members;
}

/// Sum over a channel's weights of w^2 times the mean over samples of (dL_n/dw)^2, mean over members.
class Obd : public PassCriterion {
  public:
    Obd(const char* key, ObdMembers members, ScoreNormaliser normaliser, bool drawn, int64_t samples,
        uint64_t seed)
        : PassCriterion(key, normaliser), members_(members), drawn_(drawn), samples_(samples), seed_(seed) {}

  protected:
    std::vector<torch::Tensor> contributions(const Evidence& batch) override {
        const auto names = parameter_names(batch);
        const auto fisher = diagonal(batch, names);
        std::vector<torch::Tensor> all;
        for (size_t i = 0; i < batch.asked().size(); ++i) {
            const auto members = obd_members(batch, i, members_);
            if (members.empty()) throw nothing_of(batch, i, "weights of a convolution or linear layer");
            torch::Tensor sum;
            for (const auto* member : members) {
                const auto loss = batch.tensors().at(member->tensor).square() * fisher.at(member->tensor);
                const auto of_slices = Evidence::row_sums(Evidence::rows(*member, loss));
                sum = sum.defined() ? sum + of_slices : of_slices;
            }
            all.push_back(sum / static_cast<double>(members.size()));
        }
        return all;
    }

  private:
    std::vector<std::string> parameter_names(const Evidence& batch) const {
        std::set<std::string> names;
        for (size_t i = 0; i < batch.asked().size(); ++i)
            for (const auto* member : obd_members(batch, i, members_)) names.insert(member->tensor);
        return {names.begin(), names.end()};
    }

    /// One backward pass per sample.
    std::map<std::string, torch::Tensor> diagonal(const Evidence& batch,
                                                  const std::vector<std::string>& names) const {
        const torch::AutoGradMode with_gradients(true);
        const auto& passes = batch.labelled_passes();
        if (drawn_ && !passes.drawn_losses)
            throw Error("criterion " + name(), "mini-batch",
                        "losses with drawn labels (Passes::drawn_losses), or drawn_labels=false", "none");
        std::vector<torch::Tensor> parameters, sums;
        for (const auto& name : names) {
            parameters.push_back(batch.tensors().at(name));
            sums.push_back(
                torch::zeros_like(parameters.back(), parameters.back().options().requires_grad(false)));
        }
        const int64_t count = std::min(passes.samples, samples_);
        for (int64_t n = 0; n < count; ++n) {
            const auto losses = drawn_ ? passes.drawn_losses({n, n + 1}, seed_ + static_cast<uint64_t>(n))
                                       : passes.losses({n, n + 1});
            const auto total = torch::stack(losses).sum();
            const auto gradients = torch::autograd::grad({total}, parameters, {}, c10::nullopt,
                                                         /*create_graph=*/false, /*allow_unused=*/true);
            for (size_t i = 0; i < sums.size(); ++i)
                if (gradients[i].defined())
                    sums[i].addcmul_(gradients[i], gradients[i], 1.0 / static_cast<double>(count));
        }
        std::map<std::string, torch::Tensor> result;
        for (size_t i = 0; i < names.size(); ++i) result[names[i]] = sums[i];
        return result;
    }

    ObdMembers members_;
    bool drawn_;
    int64_t samples_;
    uint64_t seed_;
};

}  // namespace

Registry<Criterion>::Entry obd_hessian_criterion() {
    return {
        {.key = "obd_hessian",
         .summary = "w^2 times the empirical Fisher diagonal, of all weights that read or give the channel",
         .paper = "LeCun et al., Optimal Brain Damage, NeurIPS 1990; Fang et al., DepGraph, CVPR 2023",
         .options = {{"samples", 64, "at most, of every mini-batch: one backward pass each"}}},
        [](const nlohmann::json& options) {
            return std::make_unique<Obd>("obd_hessian", ObdMembers::scored, ScoreNormaliser::mean, false,
                                         options.at("samples").get<int64_t>(), 0);
        }};
}

Registry<Criterion>::Entry obd_c_criterion() {
    return {{.key = "obd_c",
             .summary =
                 "w^2 times the Fisher diagonal of the producers' weights, labels drawn from the predictions "
                 "(of depth and other regressions: as given)",
             .paper = "Wang et al., EigenDamage, ICML 2019 (its C-OBD)",
             .options = {{"samples", 64, "at most, of every mini-batch: one backward pass each"},
                         {"drawn_labels", true, "false: the labels of the data (empirical Fisher)"},
                         {"seed", 0, "of the labels that are drawn"}}},
            [](const nlohmann::json& options) {
                return std::make_unique<Obd>("obd_c", ObdMembers::produced, ScoreNormaliser::none,
                                             options.at("drawn_labels").get<bool>(),
                                             options.at("samples").get<int64_t>(),
                                             options.at("seed").get<uint64_t>());
            }};
}

}  // namespace mtlprune

// Taylor importance by the parameters of batch norms (Molchanov et al., CVPR 2019, "Taylor-FO-BN" read off
// the norm).
#include <torch/utils.h>

#include "base/error.h"
#include "pruning/criteria/event_mean.h"
#include "pruning/criteria/taylor.h"
#include "pruning/ops/operator.h"

namespace mtlprune {
namespace {

/// Score = mean over mini-batches of (sum over the group's batch norms of gamma dL/dgamma + beta dL/dbeta)^2.
class BatchNormTaylor : public GroupwiseMean {
  public:
    BatchNormTaylor(MeanOptions mean, bool shift, bool replace_missing)
        : GroupwiseMean("taylor_bn", mean), shift_(shift), replace_missing_(replace_missing) {}
    Needs needs() const override { return {.gradients = true}; }

    Scores scores(const Evidence& now) const override {
        auto scores = MeanCriterion::scores(now);
        for (const size_t number : now.asked())
            if (now.scored().batch_norms_of(now.groups()[number]).empty())
                scores.notes.push_back("group " + now.groups()[number].name +
                                       " has no batch norm with weights: scored by taylor");
        return scores;
    }

  protected:
    torch::Tensor contribution(const Evidence& batch, size_t i) override {
        const auto& group = batch.groups()[batch.asked()[i]];
        torch::Tensor sum;
        for (const auto& [scale, multiplicity] : batch.scored().batch_norms_of(group))
            for (const Member* member : {scale, shift_of(group, scale)}) {
                const auto found =
                    member == nullptr ? batch.gradients.end() : batch.gradients.find(member->tensor);
                if (found == batch.gradients.end()) continue;
                const auto term = slice_gradient(batch, group, *member, found->second).to(torch::kDouble);
                sum = sum.defined() ? sum + term : term;
            }
        if (sum.defined()) return sum.square();
        if (!replace_missing_ || !batch.scored().batch_norms_of(group).empty())
            throw Error("criterion taylor_bn", "group " + group.name,
                        "a batch norm with weights and their gradients", "none");
        return gate_gradient(batch, i).square();
    }

  private:
    /// The member behind the scale, or null where there is none or it is not asked.
    const Member* shift_of(const Group& group, const Member* scale) const {
        const Member* next = scale + 1;
        const bool is_shift = next < group.members.data() + group.members.size() && next->op == scale->op &&
                              next->argument == scale->argument + 1 && !next->is_buffer;
        return shift_ && is_shift ? next : nullptr;
    }

    bool shift_, replace_missing_;
};

}  // namespace

Registry<Criterion>::Entry taylor_bn_criterion() {
    auto options = mean_options();
    options.push_back({"shift", true, "beta dL/dbeta counts too (false: gamma alone)"});
    options.push_back(
        {"replace_missing", true, "score groups without batch norm by taylor (false: an error)"});
    return {{.key = "taylor_bn",
             .summary = "squared gamma dL/dgamma + beta dL/dbeta of the batch norms, mean over mini-batches",
             .paper = "Molchanov et al., Importance Estimation for Neural Network Pruning, CVPR 2019 (batch "
                      "norm form; the released code never finds the shift)",
             .options = options,
             .as_released = {{"shift", false}}},
            [](const nlohmann::json& options) {
                return std::make_unique<BatchNormTaylor>(read_mean_options(options),
                                                         options.at("shift").get<bool>(),
                                                         options.at("replace_missing").get<bool>());
            }};
}

}  // namespace mtlprune

// Second-order Taylor importance of channel gates (the method codes 11 and 10 of the released code of
// Molchanov et al., CVPR 2019).
#include <torch/utils.h>

#include "base/enum_names.h"
#include "base/error.h"
#include "base/random.h"
#include "pruning/criteria/pass_criterion.h"
#include "pruning/evidence/gate_curvature.h"

namespace mtlprune {
namespace {

/// change: (H/2 - g)^2, the squared change of the loss to second order when the gate z = 1 closes.
/// curvature: H z.
enum class SecondForm { change, curvature };

const EnumNames<SecondForm> kSecondForms = {{SecondForm::change, "change"},
                                            {SecondForm::curvature, "curvature"}};

class TaylorSecond : public PassCriterion {
  public:
    TaylorSecond(SecondForm form, int64_t draws, uint64_t seed)
        : PassCriterion("taylor_second"), form_(form), draws_(draws), seed_(seed) {}

  protected:
    OfGates contributions(const Evidence& batch) override {
        const GateCurvature gates(batch);
        const auto& gradients = gates.gradients();
        auto curvatures = draws_ == 0 ? exact(gates, gradients) : estimated(gates, gradients);
        if (form_ == SecondForm::curvature) return curvatures;
        for (size_t i = 0; i < curvatures.size(); ++i)
            curvatures[i] = (curvatures[i] / 2 - gradients[i]).square();
        return curvatures;
    }

  private:
    /// One product for every channel.
    static OfGates exact(const GateCurvature& gates, const OfGates& like) {
        auto curvatures = zeros_like(like);
        for (size_t i = 0; i < like.size(); ++i)
            for (int64_t c = 0; c < like[i].numel(); ++c) {
                auto one = zeros_like(like);
                one[i][c] = 1;
                curvatures[i][c] = gates.times(one)[i][c];
            }
        return curvatures;
    }

    OfGates estimated(const GateCurvature& gates, const OfGates& gradients) const {
        auto curvatures = zeros_like(gradients);
        for (int64_t draw = 0; draw < draws_; ++draw) {
            OfGates signs;
            for (const auto& of_group : gradients)
                signs.push_back(RandomSigns(of_group).draw(
                    mix_key(seed_, Stream::method, static_cast<uint64_t>(draw), signs.size())));
            const auto products = gates.times(signs);
            for (size_t i = 0; i < signs.size(); ++i)
                curvatures[i] += signs[i] * products[i] / static_cast<double>(draws_);
        }
        return curvatures;
    }

    static OfGates zeros_like(const OfGates& like) {
        OfGates zeros;
        for (const auto& of_group : like) zeros.push_back(torch::zeros_like(of_group));
        return zeros;
    }

    SecondForm form_;
    int64_t draws_;
    uint64_t seed_;
};

}  // namespace

Registry<Criterion>::Entry taylor_second_criterion() {
    return {
        {.key = "taylor_second",
         .summary = "squared change of the loss to second order when a gate on the channel closes",
         .paper = "Molchanov et al., Importance Estimation for Neural Network Pruning, CVPR 2019 (second "
                  "order, gate form)",
         .options = {{"form", "change",
                      "change: (H/2 - g)^2 of the gate's gradient g and second derivative H; curvature: H",
                      kSecondForms.names()},
                     {"draws", 8,
                      "Hessian-vector products for Hutchinson's estimate of H, for every mini-batch (0: H "
                      "exactly, by one product for every channel)"},
                     {"seed", 0, "of the estimate's signs"}},
         .certainty =
             "medium: forms of the released code's method codes 11 and 10; estimate and eval mode: ours"},
        [](const nlohmann::json& options) {
            const auto draws = options.at("draws").get<int64_t>();
            if (draws < 0) throw Error("option", "draws", "at least 0", std::to_string(draws));
            return std::make_unique<TaylorSecond>(
                kSecondForms.value(options.at("form").get<std::string>(), "form"), draws,
                options.at("seed").get<uint64_t>());
        }};
}

}  // namespace mtlprune

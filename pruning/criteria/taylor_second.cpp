// Second-order Taylor importance of channel gates (the method codes 11 and 10 of the released code of
// Molchanov et al., CVPR 2019).
#include <torch/utils.h>

#include <set>

#include "base/enum_names.h"
#include "base/error.h"
#include "base/random.h"
#include "pruning/criteria/loss_curvature.h"
#include "pruning/criteria/pass_criterion.h"
#include "pruning/criteria/taylor.h"

namespace mtlprune {
namespace {

/// change: (H/2 - g)^2, the squared change of the loss to second order when the gate z = 1 closes.
/// curvature: H z.
enum class SecondForm { change, curvature };

const EnumNames<SecondForm> kSecondForms = {{SecondForm::change, "change"},
                                            {SecondForm::curvature, "curvature"}};

/// Per asked group [C].
using OfGates = std::vector<torch::Tensor>;

/// Gates scale the weights (of norms, where there are some) that give a channel, so their derivatives are
/// those along these weights (gate_members.h).
class GateCurvature {
  public:
    explicit GateCurvature(const Evidence& batch) : now_(batch), curvature_(batch, names_of(batch)) {
        now_.gradients = curvature_.gradients();
    }

    OfGates gradients() const { return along_gates(now_); }

    /// The Hessian with respect to all gates, times a vector.
    OfGates times(const OfGates& vector) const {
        ParameterTensors moved;
        for (size_t i = 0; i < vector.size(); ++i) {
            const auto& group = now_.groups()[now_.asked()[i]];
            for (const Member* member : now_.gate_members(now_.asked()[i])) {
                const auto weight = now_.value(group, *member).detach();
                auto [found, is_new] = moved.emplace(member->tensor, torch::zeros_like(weight));
                found->second = found->second + scaled(weight, *member, vector[i]);
            }
        }
        auto products = now_;
        products.gradients = curvature_.times(moved);
        return along_gates(products);
    }

  private:
    static std::vector<std::string> names_of(const Evidence& batch) {
        std::set<std::string> names;
        for (const size_t number : batch.asked())
            for (const Member* member : batch.gate_members(number))
                if (batch.tensors().at(member->tensor).requires_grad()) names.insert(member->tensor);
        return {names.begin(), names.end()};
    }

    static OfGates along_gates(const Evidence& evidence) {
        OfGates all;
        for (size_t i = 0; i < evidence.asked().size(); ++i) all.push_back(gate_gradient(evidence, i));
        return all;
    }

    /// A channel's slices times the channel's number, 0 elsewhere.
    static torch::Tensor scaled(const torch::Tensor& weight, const Member& member,
                                const torch::Tensor& numbers) {
        auto factors = torch::zeros({weight.size(member.dim)}, weight.options());
        factors.index_copy_(0, torch::tensor(member.indices, torch::kLong).to(weight.device()),
                            numbers.repeat_interleave(member.per_channel).to(weight.options()));
        std::vector<int64_t> shape(static_cast<size_t>(weight.dim()), 1);
        shape[member.dim] = -1;
        return weight * factors.view(shape);
    }

    Evidence now_;
    LossCurvature curvature_;
};

class TaylorSecond : public PassCriterion {
  public:
    TaylorSecond(SecondForm form, int64_t draws, uint64_t seed)
        : PassCriterion("taylor_second"), form_(form), draws_(draws), seed_(seed) {}

  protected:
    OfGates contributions(const Evidence& batch) override {
        const GateCurvature gates(batch);
        auto gradients = gates.gradients();
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
                signs.push_back(signs_like(
                    of_group, mix_key(seed_, Stream::method, static_cast<uint64_t>(draw), signs.size())));
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

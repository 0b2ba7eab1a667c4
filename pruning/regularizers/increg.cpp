// Incremental regularisation (Wang et al., IJCNN 2019 and IEEE JSTSP 2019; Caffe_IncReg).
#include "pruning/regularizers/increg_units.h"

#include <algorithm>

#include "base/error.h"
#include "pruning/regularizers/regularizer.h"

namespace mtlprune {
namespace {

/// lambda_k / 2 ||w_k||^2 on filters, raised for those that rank low on average and lowered for the others;
/// at `target` a filter becomes zero for good, with the bias and the norm behind it.
class IncReg : public Regularizer {
  public:
    IncReg(const IncRegCurve& curve, double target, int64_t every)
        : curve_(curve), target_(target), every_(every) {}

    void after_gradients(RegularizedStep& step) override {
        if (units_.empty()) units_ = std::vector<IncRegUnits>(step.groups.size());
        if (step.iteration % every_ == 0) update(step);
        for (size_t i = 0; i < units_.size(); ++i) {
            for (const auto& filters : step.groups[i].filters) filters.add_decay(units_[i].lambda);
            if (const auto zero = units_[i].pruned.nonzero().flatten(); zero.numel() > 0)
                for (const auto& slices : step.groups[i].own) slices.clear_gradient(zero);
        }
    }

    void after_step(RegularizedStep& step) override {
        for (size_t i = 0; i < units_.size(); ++i) {
            const auto zero = (units_[i].pruned & ~units_[i].zeroed).nonzero().flatten();
            if (zero.numel() == 0) continue;
            for (const auto& slices : step.groups[i].own) {
                const auto indices = slices.indices_of(zero);
                torch::Tensor(slices.parameter).index_fill_(slices.dim, indices, 0.0);
                step.trainer.zero_state(slices.parameter, slices.dim, indices);
            }
            units_[i].zeroed = units_[i].pruned.clone();
        }
    }

    /// What was pruned, then what ranks lowest, as many as the allocation asks for.
    std::vector<torch::Tensor> chosen() const override {
        std::vector<torch::Tensor> leaving;
        for (const auto& units : units_) leaving.push_back(units.ranks() < static_cast<double>(units.wanted));
        return leaving;
    }

    void after_event(const std::vector<torch::Tensor>& kept) override {
        for (size_t i = 0; i < units_.size(); ++i) units_[i].select(kept.at(i));
    }

    std::map<std::string, torch::Tensor> state() const override {
        std::map<std::string, torch::Tensor> state;
        for (size_t i = 0; i < units_.size(); ++i) units_[i].save(state, i);
        return state;
    }

    void load_state(const std::map<std::string, torch::Tensor>& state) override {
        units_.clear();
        for (IncRegUnits units; units.load(state, units_.size()); units = {}) units_.push_back(units);
    }

  private:
    void update(RegularizedStep& step) {
        std::vector<torch::Tensor> scores;
        for (const auto& group : step.groups) scores.push_back(group.magnitude());
        scores = on_host(scores);
        for (size_t i = 0; i < units_.size(); ++i)
            if (!units_[i].lambda.defined()) units_[i].begin(step.groups[i].channels);
        if (std::any_of(units_.begin(), units_.end(),
                        [](const IncRegUnits& units) { return units.wanted < 0; })) {
            const auto lowest = step.lowest(scores);
            for (size_t i = 0; i < units_.size(); ++i) units_[i].wanted = lowest[i].sum().item<int64_t>();
        }
        for (size_t i = 0; i < units_.size(); ++i) units_[i].update(scores[i], curve_, target_);
    }

    IncRegCurve curve_;
    double target_;
    int64_t every_;
    std::vector<IncRegUnits> units_;
};

}  // namespace

Registry<Regularizer>::Entry increg_regularizer() {
    const IncRegCurve defaults;
    return {
        {.key = "increg",
         .summary = "decay of filters by their mean rank; at the target they are zero for good. As many as "
                    "the allocation takes, then the weight decay of the optimiser alone",
         .paper = "Wang et al., Structured Pruning for Efficient ConvNets via Incremental Regularization, "
                  "IJCNN 2019; its form with whole filters, on groups",
         .options = {{"scheme", defaults.scheme, "1: the paper's curve, 2: the released one"},
                     {"step", defaults.step, "growth for the weakest filter (A)"},
                     {"target", 2.5, "decay at which a filter is pruned"},
                     {"u", defaults.u, "scheme 1: growth in the middle of the curve by that of the weakest"},
                     {"every", 1, "iterations between updates"}}},
        [](const nlohmann::json& options) {
            IncRegCurve curve{options.at("scheme").get<int64_t>(), not_negative(options, "step"),
                              not_negative(options, "u")};
            if (curve.scheme != 1 && curve.scheme != 2)
                throw Error("regularizer", "scheme", "1 or 2", std::to_string(curve.scheme));
            if (curve.u <= 0.0 || curve.u >= 1.0)
                throw Error("regularizer", "u", "a number between 0 and 1", options.at("u").dump());
            return std::make_unique<IncReg>(curve, not_negative(options, "target"),
                                            at_least_one(options, "every"));
        }};
}

}  // namespace mtlprune

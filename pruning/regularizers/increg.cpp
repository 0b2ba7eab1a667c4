// Incremental regularisation (Wang et al., IJCNN 2019 and IEEE JSTSP 2019; Caffe_IncReg).
#include "pruning/regularizers/increg_curve.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "pruning/regularizers/regularizer.h"

namespace mtlprune {
namespace {

/// Position of every value in ascending order, ties by index.
torch::Tensor ranks_of(const torch::Tensor& values) {
    const auto order = std::get<1>(values.sort(/*stable=*/true, 0, /*descending=*/false));
    return torch::empty_like(order).index_copy_(0, order, torch::arange(order.numel())).to(torch::kDouble);
}

/// lambda_k / 2 ||w_k||^2 on filters, raised for those that rank low on average and lowered for the others;
/// at `target` a filter becomes zero for good, with the bias and the norm behind it.
class IncReg : public Regularizer {
  public:
    IncReg(const IncRegCurve& curve, double target, int64_t every)
        : curve_(curve), target_(target), every_(every) {}

    void after_gradients(RegularizedStep& step) override {
        if (units_.empty()) units_ = std::vector<Units>(step.groups.size());
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
        for (size_t i = 0; i < units_.size(); ++i) {
            const auto number = std::to_string(i);
            state["lambda." + number] = units_[i].lambda;
            state["mean_rank." + number] = units_[i].mean_rank;
            state["pruned." + number] = units_[i].pruned;
            state["counts." + number] = torch::tensor({units_[i].wanted, units_[i].updates});
        }
        return state;
    }

    void load_state(const std::map<std::string, torch::Tensor>& state) override {
        units_.clear();
        for (size_t i = 0; state.count("lambda." + std::to_string(i)) > 0; ++i) {
            const auto number = std::to_string(i);
            const auto counts = state.at("counts." + number);
            Units units;
            units.lambda = state.at("lambda." + number).clone();
            units.mean_rank = state.at("mean_rank." + number).clone();
            units.pruned = state.at("pruned." + number).clone();
            units.zeroed = units.pruned.clone();
            units.wanted = counts[0].item<int64_t>();
            units.updates = counts[1].item<int64_t>();
            units_.push_back(std::move(units));
        }
    }

  private:
    /// Of one group; tensors [C] on the CPU.
    struct Units {
        torch::Tensor lambda, mean_rank, pruned, zeroed;
        int64_t wanted = -1;  ///< how many are to be pruned until the next event; -1: not known yet
        int64_t updates = 0;

        void begin(int64_t channels) {
            lambda = torch::zeros({channels}, torch::kDouble);
            mean_rank = torch::zeros({channels}, torch::kDouble);
            pruned = torch::zeros({channels}, torch::kBool);
            zeroed = pruned.clone();
        }
        /// The pruned first.
        torch::Tensor ranks() const {
            return ranks_of(mean_rank.masked_fill(pruned, -std::numeric_limits<double>::infinity()));
        }
        void select(const torch::Tensor& kept) {
            for (auto* tensor : {&lambda, &mean_rank, &pruned, &zeroed})
                *tensor = tensor->index_select(0, kept);
            wanted = -1;
        }
        void update(const torch::Tensor& scores, const IncRegCurve& curve, double target);
    };

    void update(RegularizedStep& step) {
        std::vector<torch::Tensor> scores;
        for (const auto& group : step.groups) scores.push_back(group.magnitude());
        scores = on_host(scores);
        for (size_t i = 0; i < units_.size(); ++i)
            if (!units_[i].lambda.defined()) units_[i].begin(step.groups[i].channels);
        if (std::any_of(units_.begin(), units_.end(), [](const Units& units) { return units.wanted < 0; })) {
            const auto lowest = step.lowest(scores);
            for (size_t i = 0; i < units_.size(); ++i) units_[i].wanted = lowest[i].sum().item<int64_t>();
        }
        for (size_t i = 0; i < units_.size(); ++i) units_[i].update(scores[i], curve_, target_);
    }

    IncRegCurve curve_;
    double target_;
    int64_t every_;
    std::vector<Units> units_;
};

void IncReg::Units::update(const torch::Tensor& scores, const IncRegCurve& curve, double target) {
    ++updates;
    const auto n = static_cast<double>(updates);
    const auto rank = ranks_of(scores.masked_fill(pruned, -std::numeric_limits<double>::infinity()));
    mean_rank = torch::where(pruned, mean_rank, ((n - 1.0) * mean_rank + rank) / n);
    const auto done = pruned.sum().item<int64_t>();
    const int64_t missing = wanted - done;
    if (missing <= 0) return;
    const auto present = (~pruned).nonzero().flatten();
    const auto of_present = ranks().index_select(0, present) - static_cast<double>(done);
    const double progress = static_cast<double>(done) / static_cast<double>(wanted);
    lambda.index_add_(0, present, increg_change(of_present, missing, progress, curve));
    lambda.clamp_(0.0);
    // The weakest first: never more than are wanted.
    const auto reached =
        (lambda.index_select(0, present) >= target) & (of_present < static_cast<double>(missing));
    pruned.index_fill_(0, present.masked_select(reached), 1);
}

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

// AdapMTL (Xiang et al., ACM MM 2024) on channels: its soft thresholds of weights, applied to norms of
// filters.
#include <algorithm>
#include <limits>

#include "pruning/regularizers/regularizer.h"
#include "pruning/regularizers/soft_thresholds.h"
#include "pruning/regularizers/thresholded_group.h"

namespace mtlprune {
namespace {

/// w_eff = w max(1 - tau / n, 0) with the root mean square n of a channel's filters. The network holds w_eff
/// but between the gradients and the optimiser's step, which is that of the stored w.
class AdapMtl : public Regularizer {
  public:
    explicit AdapMtl(double start) : thresholds_(start) {}

    void after_gradients(RegularizedStep& step) override {
        if (stored_.empty()) return;
        for (const auto& group : step.groups)
            for (const auto& slices : group.filters)
                torch::Tensor(slices.parameter).copy_(stored_.at(slices.name));
        stored_.clear();
        const auto parts = parts_of(step.groups);
        std::vector<torch::Tensor> found;  // per group: channels that are pruned, dL/dtau
        for (size_t i = 0; i < step.groups.size(); ++i)
            found.push_back(step.groups[i].filters.empty() ? torch::zeros({2}, torch::kDouble)
                                                           : thresholded(step, i, parts[i]).through());
        found = on_host(found);
        double pruned = 0.0;
        tau_gradients_ = torch::zeros({thresholds_.parts()}, torch::kDouble);
        for (size_t i = 0; i < found.size(); ++i) {
            pruned += found[i][0].item<double>();
            tau_gradients_[parts[i]] += found[i][1];
        }
        if (wanted_ >= 0 && pruned >= static_cast<double>(wanted_)) tau_gradients_ = torch::Tensor();
    }

    void after_step(RegularizedStep& step) override {
        const auto parts = parts_of(step.groups);
        if (parts.empty()) return;
        thresholds_.begin(*std::max_element(parts.begin(), parts.end()) + 1);
        if (tau_gradients_.defined())
            thresholds_.step(tau_gradients_, step.trainer.options().optimizer, step.learning_rate);
        tau_gradients_ = torch::Tensor();
        margins_.clear();
        for (const auto& group : step.groups)
            for (const auto& slices : group.filters) stored_[slices.name] = slices.parameter.detach().clone();
        for (size_t i = 0; i < step.groups.size(); ++i) apply(step, i, parts[i]);
        margins_ = on_host(margins_);
        if (wanted_ >= 0) return;
        wanted_ = 0;
        for (const auto& leaving : step.lowest(margins_)) wanted_ += leaving.sum().item<int64_t>();
    }

    void after_last_event(RegularizedStep& step) override {
        after_step(step);
        stored_.clear();
        margins_.clear();
    }

    /// What is below its threshold, then what is least above, as many as the allocation asks for.
    std::vector<torch::Tensor> ranking() const override { return margins_; }

    void after_event(const std::vector<torch::Tensor>& /*kept*/) override {
        stored_.clear();
        margins_.clear();
        wanted_ = -1;
    }

    std::map<std::string, torch::Tensor> state() const override {
        auto state = thresholds_.state();
        state.merge(with_prefix("stored.", stored_));
        save_list(state, "margins", margins_);
        state["wanted"] = torch::tensor(wanted_);
        return state;
    }
    void load_state(const std::map<std::string, torch::Tensor>& state) override {
        thresholds_.load_state(state);
        stored_.clear();
        for (const auto& [name, tensor] : entries_of("stored.", state)) stored_[name] = tensor.clone();
        margins_ = load_list(state, "margins");
        wanted_ = state.at("wanted").item<int64_t>();
    }

  private:
    /// Per group the number of its threshold.
    static std::vector<int64_t> parts_of(const std::vector<RegularizedGroup>& groups) {
        std::map<std::string, int64_t> numbers;
        std::vector<int64_t> parts;
        for (const auto& group : groups) {
            const auto part = part_of(group.filters.empty() ? group.name : group.filters.front().name);
            parts.push_back(numbers.emplace(part, static_cast<int64_t>(numbers.size())).first->second);
        }
        return parts;
    }

    ThresholdedGroup thresholded(const RegularizedStep& step, size_t i, int64_t part) const {
        const auto tau = thresholds_.values()[part].item<double>();
        return {step.groups[i], tau, step.floors.empty() ? int64_t{1} : step.floors[i]};
    }

    /// Puts the effective weights into the network.
    void apply(const RegularizedStep& step, size_t i, int64_t part) {
        const auto& group = step.groups[i];
        if (group.filters.empty()) {
            margins_.push_back(
                torch::full({group.channels}, std::numeric_limits<double>::infinity(), torch::kDouble));
            return;
        }
        const auto now = thresholded(step, i, part);
        now.apply();
        margins_.push_back(now.margins());
    }

    SoftThresholds thresholds_;
    TensorMap stored_;                    ///< weights without thresholds; empty: those in the network
    std::vector<torch::Tensor> margins_;  ///< per group, float64 [C]: norm - tau
    int64_t wanted_ = -1;                 ///< channels that the next event takes; -1: not known yet
    torch::Tensor tau_gradients_;         ///< undefined: thresholds stay
};

}  // namespace

Registry<Regularizer>::Entry adapmtl_regularizer() {
    return {
        {.key = "adapmtl",
         .summary = "filters shrink by a threshold on their norm that is trained, one for the backbone and "
                    "one per head, until as many are zero as the allocation takes; those leave",
         .paper = "Xiang et al., AdapMTL: Adaptive Pruning Framework for Multitask Learning Model, ACM MM "
                  "2024, on channels",
         .options = {{"start", -15.0, "s of the thresholds sigmoid(s) at the start (-15 to -20)"}},
         .certainty = "low: on weights as in the released code; its form on channels is this project's"},
        [](const nlohmann::json& options) {
            return std::make_unique<AdapMtl>(options.at("start").get<double>());
        }};
}

}  // namespace mtlprune

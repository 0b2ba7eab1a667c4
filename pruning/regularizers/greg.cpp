#include "pruning/regularizers/greg.h"

#include <algorithm>
#include <limits>

namespace mtlprune {
namespace {

/// reg_k / 2 ||w_k||^2 on filters; reg grows for those that were picked to leave.
class Greg : public Regularizer {
  public:
    explicit Greg(const GregOptions& options) : options_(options) {}

    void after_gradients(RegularizedStep& step) override {
        if (reg_.empty())
            for (const auto& group : step.groups)
                reg_.push_back(torch::zeros({group.channels}, torch::kDouble));
        if (step.iteration % options_.every == 0) update(step);
        for (size_t i = 0; i < step.groups.size(); ++i)
            for (const auto& filters : step.groups[i].filters) filters.add_decay(reg_[i]);
    }

    std::vector<torch::Tensor> chosen() const override { return leaving_; }

    /// What was picked has left: what stays begins anew.
    void after_event(const std::vector<torch::Tensor>& /*kept*/) override {
        reg_.clear();
        leaving_.clear();
        ratios_ = finished_ = torch::Tensor();
    }

    std::map<std::string, torch::Tensor> state() const override {
        std::map<std::string, torch::Tensor> state;
        save_list(state, "reg", reg_);
        save_list(state, "leaving", leaving_);
        if (leaving_.empty()) return state;
        state["ratios"] = ratios_;
        state["finished"] = finished_;
        return state;
    }
    void load_state(const std::map<std::string, torch::Tensor>& state) override {
        reg_ = load_list(state, "reg");
        leaving_ = load_list(state, "leaving");
        if (leaving_.empty()) return;
        ratios_ = state.at("ratios").clone();
        finished_ = state.at("finished").clone();
    }

  private:
    void update(RegularizedStep& step) {
        std::vector<torch::Tensor> magnitudes;
        for (const auto& group : step.groups) magnitudes.push_back(group.magnitude());
        magnitudes = on_host(magnitudes);
        if (!leaving_.empty()) return grow(magnitudes);
        if (options_.picks_first) {
            pick(step, magnitudes);
            return grow(magnitudes);
        }
        double strongest = 0.0;
        for (auto& reg : reg_) {
            reg = reg + options_.pick_delta;
            if (reg.numel() > 0) strongest = std::max(strongest, reg.max().item<double>());
        }
        if (strongest >= options_.pick_limit) pick(step, magnitudes);
    }

    /// A uniform decay has moved the weights apart by the curvature of the loss: magnitudes now tell it.
    void pick(RegularizedStep& step, const std::vector<torch::Tensor>& magnitudes) {
        leaving_ = step.lowest(magnitudes);
        ratios_ = torch::full({static_cast<int64_t>(leaving_.size())},
                              std::numeric_limits<double>::quiet_NaN(), torch::kDouble);
        finished_ = torch::zeros({static_cast<int64_t>(leaving_.size())}, torch::kBool);
    }

    void grow(const std::vector<torch::Tensor>& magnitudes) {
        for (size_t i = 0; i < reg_.size(); ++i) {
            const auto g = static_cast<int64_t>(i);
            if (finished_[g].item<bool>()) continue;
            if (!leaving_[i].any().item<bool>()) {  // all of it stays
                reg_[i].zero_();
                finished_[g] = true;
                ratios_[g] = std::numeric_limits<double>::infinity();
                continue;
            }
            const double kept = options_.picks_first ? 0.0 : -options_.recover;
            reg_[i] = torch::where(leaving_[i], reg_[i] + options_.delta, torch::full_like(reg_[i], kept));
            const auto ratio = magnitudes[i].masked_select(~leaving_[i]).mean() /
                               magnitudes[i].masked_select(leaving_[i]).mean();
            const auto before = ratios_[g].clone();
            ratios_[g] = torch::where(before.isnan(), ratio, 0.9 * before + 0.1 * ratio);
            if (reg_[i].max().item<double>() > options_.limit) finished_[g] = true;
        }
        if ((ratios_ >= options_.ratio).all().item<bool>()) finished_.fill_(true);
    }

    GregOptions options_;
    std::vector<torch::Tensor> reg_;      ///< per group, double [C] on the CPU
    std::vector<torch::Tensor> leaving_;  ///< per group, bool [C]; empty until they were picked
    torch::Tensor ratios_;    ///< [groups]: mean |w| of what stays by that of what leaves, smoothed
    torch::Tensor finished_;  ///< bool [groups]: reg stays as it is
};

}  // namespace

std::unique_ptr<Regularizer> make_greg(const GregOptions& options) {
    return std::make_unique<Greg>(options);
}

}  // namespace mtlprune

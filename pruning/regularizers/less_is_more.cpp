// Group sparsity of a shared backbone by proximal steps in Adam's metric (Upadhyay et al., Less is More:
// Towards parsimonious multi-task models using structured sparsity, 2023).
#include <cmath>

#include "pruning/regularizers/regularizer.h"
#include "pruning/regularizers/sparse_units.h"

namespace mtlprune {
namespace {

struct LessIsMoreOptions {
    double lambda = 1e-6;
    SparseUnit unit = SparseUnit::input_channel;
    bool penalty_too = false;
};

/// lambda sqrt(n) ||w|| per unit of n weights, by its proximal step after the optimiser's.
class LessIsMore : public Regularizer {
  public:
    explicit LessIsMore(const LessIsMoreOptions& options) : options_(options) {}

    void after_gradients(RegularizedStep& step) override {
        if (!options_.penalty_too) return;
        for (const auto& group : step.groups)
            for (const auto& unit : sparse_units(group, options_.unit)) add_penalty(unit);
    }

    void after_step(RegularizedStep& step) override { shrink_units(step, options_.unit, options_.lambda); }

  private:
    /// As released: weighted by the number of units.
    void add_penalty(const UnitSlices& unit) const {
        torch::Tensor squares;
        for (const auto* slices : unit)
            squares = squares.defined() ? squares + slices->sums(2) : slices->sums(2);
        const auto weight = std::sqrt(static_cast<double>(unit.front()->present));
        const auto factors = torch::where(squares > 0.0, options_.lambda * weight / squares.sqrt(),
                                          torch::zeros_like(squares));
        for (const auto* slices : unit) slices->add_decay(factors);
    }

    LessIsMoreOptions options_;
};

}  // namespace

Registry<Regularizer>::Entry less_is_more_regularizer() {
    return {
        {.key = "less_is_more",
         .summary = "norms of slices of the shared convolutions, by proximal steps in the metric of Adam "
                    "(of SGD: plain ones), which make exact zeros",
         .paper = "Upadhyay et al., Less is More: Towards parsimonious multi-task models using "
                  "structured sparsity, 2023",
         .options = {{"lambda", 1e-6, "strength (1e-6 to 1e-4)"},
                     {"group", "input_channel",
                      "input_channel: all weights of a layer that read a channel; output_filter: those that "
                      "make it; coupled: both, of all layers that share it",
                      sparse_unit_names().names()},
                     {"penalty_too", false, "the norm in the gradient too, weighted otherwise"}},
         .as_released = {{"penalty_too", true}}},
        [](const nlohmann::json& options) {
            return std::make_unique<LessIsMore>(
                LessIsMoreOptions{not_negative(options, "lambda"),
                                  sparse_unit_names().value(options.at("group").get<std::string>(), "group"),
                                  options.at("penalty_too").get<bool>()});
        }};
}

}  // namespace mtlprune

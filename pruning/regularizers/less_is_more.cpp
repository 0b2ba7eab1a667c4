// Group sparsity of a shared backbone by proximal steps in Adam's metric (Upadhyay et al., Less is More:
// Towards parsimonious multi-task models using structured sparsity, 2023).
#include <cmath>

#include "base/enum_names.h"
#include "pruning/regularizers/group_proximal.h"
#include "pruning/regularizers/regularizer.h"
#include "training/optimizer.h"

namespace mtlprune {
namespace {

enum class SparseUnit { input_channel, output_filter, coupled };

const EnumNames<SparseUnit> kSparseUnits = {{SparseUnit::input_channel, "input_channel"},
                                            {SparseUnit::output_filter, "output_filter"},
                                            {SparseUnit::coupled, "coupled"}};

struct LessIsMoreOptions {
    double lambda = 1e-6;
    SparseUnit unit = SparseUnit::input_channel;
    bool penalty_too = false;
};

using UnitSlices = std::vector<const ChannelSlices*>;

/// Slices whose norms are penalised, one list per set of units: of convolutions that all tasks share.
std::vector<UnitSlices> units_of(const RegularizedGroup& group, SparseUnit unit) {
    UnitSlices all;
    for (const auto* list : {&group.filters, &group.readers}) {
        if (unit == SparseUnit::input_channel && list == &group.filters) continue;
        if (unit == SparseUnit::output_filter && list == &group.readers) continue;
        for (const auto& slices : *list)
            if (slices.parameter.dim() == 4 && slices.name.rfind("heads.", 0) != 0) all.push_back(&slices);
    }
    if (unit == SparseUnit::coupled && !all.empty()) return {all};
    std::vector<UnitSlices> each;
    for (const auto* slices : all) each.push_back({slices});
    return each;
}

/// lambda sqrt(n) ||w|| per unit of n weights, by its proximal step after the optimiser's.
class LessIsMore : public Regularizer {
  public:
    explicit LessIsMore(const LessIsMoreOptions& options) : options_(options) {}

    void after_gradients(RegularizedStep& step) override {
        if (!options_.penalty_too) return;
        for (const auto& group : step.groups)
            for (const auto& unit : units_of(group, options_.unit)) add_penalty(unit);
    }

    void after_step(RegularizedStep& step) override {
        std::vector<std::string> names;
        for (const auto& item : step.trainer.model().named_parameters()) names.push_back(item.key());
        const auto moments = optimizer_state(step.trainer.optimizer(), names);
        for (const auto& group : step.groups)
            for (const auto& unit : units_of(group, options_.unit)) shrink(unit, step, moments);
    }

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

    void shrink(const UnitSlices& unit, const RegularizedStep& step, const TensorMap& moments) const {
        const auto& optimizer = step.trainer.options().optimizer;
        std::vector<torch::Tensor> weights, metrics;
        std::vector<int64_t> widths;
        int64_t count = 0;
        for (const auto* slices : unit) {
            weights.push_back(slices->rows(slices->parameter));
            widths.push_back(weights.back().size(1));
            count += slices->weights;
            if (optimizer.kind == OptimizerKind::sgd) {
                metrics.push_back(torch::ones_like(weights.back()));
                continue;
            }
            const auto found = moments.find(slices->name + ".exp_avg_sq");
            if (found == moments.end()) return;
            metrics.push_back(slices->rows(found->second).sqrt());
        }
        const auto before = torch::cat(weights, 1), metric = torch::cat(metrics, 1);
        const double eps = optimizer.kind == OptimizerKind::sgd ? 0.0 : optimizer.eps;
        const double strength = step.learning_rate * options_.lambda * std::sqrt(static_cast<double>(count));
        // What never had a gradient is not told apart by it.
        const auto seen = (metric > 0.0).any(1, /*keepdim=*/true);
        const auto after =
            torch::where(seen, group_proximal(before, metric + eps, strength), before.to(torch::kDouble));
        const auto parts = after.split_with_sizes(widths, 1);
        for (size_t i = 0; i < unit.size(); ++i) unit[i]->set_rows(parts[i]);
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
                      kSparseUnits.names()},
                     {"penalty_too", false, "the norm in the gradient too, weighted otherwise"}},
         .as_released = {{"penalty_too", true}}},
        [](const nlohmann::json& options) {
            return std::make_unique<LessIsMore>(
                LessIsMoreOptions{not_negative(options, "lambda"),
                                  kSparseUnits.value(options.at("group").get<std::string>(), "group"),
                                  options.at("penalty_too").get<bool>()});
        }};
}

}  // namespace mtlprune

#include "pruning/regularizers/sparse_units.h"

#include <cmath>

#include "pruning/regularizers/group_proximal.h"
#include "training/optimizer.h"

namespace mtlprune {
namespace {

void shrink_unit(const UnitSlices& unit, const RegularizedStep& step, const TensorMap& moments,
                 double lambda) {
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
    const double strength = step.learning_rate * lambda * std::sqrt(static_cast<double>(count));
    // What never had a gradient is not told apart by it.
    const auto seen = (metric > 0.0).any(1, /*keepdim=*/true);
    const auto after =
        torch::where(seen, group_proximal(before, metric + eps, strength), before.to(torch::kDouble));
    const auto parts = after.split_with_sizes(widths, 1);
    for (size_t i = 0; i < unit.size(); ++i) unit[i]->set_rows(parts[i]);
}

}  // namespace

const EnumNames<SparseUnit>& sparse_unit_names() {
    static const EnumNames<SparseUnit> names = {{SparseUnit::input_channel, "input_channel"},
                                                {SparseUnit::output_filter, "output_filter"},
                                                {SparseUnit::coupled, "coupled"}};
    return names;
}

std::vector<UnitSlices> sparse_units(const RegularizedGroup& group, SparseUnit unit) {
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

void shrink_units(const RegularizedStep& step, SparseUnit unit, double lambda) {
    std::vector<std::string> names;
    for (const auto& item : step.trainer.model().named_parameters()) names.push_back(item.key());
    const auto moments = optimizer_state(step.trainer.optimizer(), names);
    for (const auto& group : step.groups)
        for (const auto& slices : sparse_units(group, unit)) shrink_unit(slices, step, moments, lambda);
}

}  // namespace mtlprune

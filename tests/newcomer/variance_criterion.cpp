// A criterion that somebody adds: this file, and the one line that registers it, is all it takes.
#include "tests/newcomer/variance_criterion.h"

#include <torch/utils.h>

namespace mtlprune {
namespace {

/// Variance of the weights of a channel's filters, mean over the group's producers.
class FilterVariance : public Criterion {
  public:
    Needs needs() const override { return {.weights = true}; }

    Scores scores(const Evidence& now) const override {
        const torch::NoGradGuard no_grad;
        Scores result;
        result.scores.assign(now.groups().size(), torch::empty({0}, torch::kFloat64));
        for (const size_t g : now.asked()) {
            std::vector<torch::Tensor> variances;
            for (const auto& [member, multiplicity] : now.scored().layers_of(now.groups()[g])) {
                if (member->role != Role::output) continue;
                const auto rows = Evidence::rows(*member, now.value(now.groups()[g], *member));
                // Weights of inputs that are masked are zero and do not count, as if they had left.
                const auto filters = rows.flatten(1).to(torch::kFloat64);
                const auto count = (filters != 0).sum(1).clamp_min(1);
                const auto mean = filters.sum(1) / count;
                variances.push_back(filters.square().sum(1) / count - mean.square());
            }
            result.scores[g] = variances.empty() ? torch::zeros({now.groups()[g].channels}, torch::kFloat64)
                                                 : torch::stack(variances).mean(0);
        }
        return result;
    }
};

}  // namespace

Registry<Criterion>::Entry variance_criterion() {
    return {{.key = "variance", .summary = "variance of a filter's weights", .paper = ""},
            [](const nlohmann::json&) { return std::make_unique<FilterVariance>(); }};
}

}  // namespace mtlprune

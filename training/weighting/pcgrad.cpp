// Projecting conflicting gradients: Yu et al., NeurIPS 2020, algorithm 1. Each task's gradient loses its
// component along every other task's that it conflicts with, in random order; the results are summed.
#include <torch/utils.h>

#include <limits>

#include "base/random.h"
#include "training/weighting/task_weighting.h"

namespace mtlprune {
namespace {

/// Apart from the dropout masks' draws.
constexpr uint64_t kPcGradStream = 0x9c6adULL << 32;

/// The others of `tasks` tasks in the order in which they are met.
std::vector<int64_t> others(int64_t task, int64_t tasks, Random random) {
    std::vector<int64_t> order;
    for (const int64_t other : permutation(tasks, random))
        if (other != task) order.push_back(other);
    return order;
}

class PcGradWeighting : public TaskWeighting {
  public:
    explicit PcGradWeighting(const WeightingContext& context)
        : seed_(context.seed), shared_(context.dimensions.size()) {}

    bool needs_task_gradients() const override { return true; }

    /// Every projected gradient is a linear combination of the tasks', so that inner products suffice.
    std::vector<torch::Tensor> combine(const WeightingStep& step) const override {
        const torch::NoGradGuard no_grad;
        const auto products = inner_products(step.gradients);
        const auto tasks = static_cast<int64_t>(step.gradients.size());
        const auto squares = products.diagonal().clamp_min(std::numeric_limits<double>::min());
        auto total = torch::zeros_like(squares);
        for (int64_t task = 0; task < tasks; ++task) {
            auto factors = torch::zeros_like(squares);
            factors[task].fill_(1.0);
            const Random random(seed_, Stream::method, static_cast<uint64_t>(step.iteration),
                                kPcGradStream + static_cast<uint64_t>(task));
            for (const int64_t other : others(task, tasks, random)) {
                const auto product = factors.dot(products[other]);
                factors[other].sub_(product.clamp_max(0.0) / squares[other]);
            }
            total += factors;
        }
        return weighted_sum(step.gradients, total);
    }

  private:
    /// float64 [T,T], over the shared parameters.
    torch::Tensor inner_products(const TaskLists& gradients) const {
        const auto tasks = static_cast<int64_t>(gradients.size());
        torch::Tensor sum;
        for (size_t i = 0; i < shared_; ++i) {
            torch::Tensor any;
            for (const auto& list : gradients)
                if (list[i].defined()) any = list[i];
            if (!any.defined()) continue;
            std::vector<torch::Tensor> rows;
            for (const auto& list : gradients)
                rows.push_back(list[i].defined() ? list[i].reshape(-1) : torch::zeros_like(any).reshape(-1));
            const auto matrix = torch::stack(rows);
            const auto products = matrix.matmul(matrix.t()).to(torch::kDouble);
            sum = sum.defined() ? sum + products : products;
        }
        return sum.defined() ? sum : torch::zeros({tasks, tasks}, torch::kDouble);
    }

    uint64_t seed_;
    size_t shared_;
};

}  // namespace

WeightingRegistry::Entry pcgrad_weighting() {
    return {{.key = "pcgrad",
             .summary = "sum of the shared gradients without what conflicts with another task's",
             .paper = "Yu, Kumar, Gupta, Levine, Hausman, Finn, NeurIPS 2020"},
            [](const nlohmann::json&, const WeightingContext& context) {
                return std::make_unique<PcGradWeighting>(context);
            }};
}

}  // namespace mtlprune

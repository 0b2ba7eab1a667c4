#include "pruning/regularizers/meta_step.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "training/task_gradients.h"

namespace mtlprune {
namespace {

using Gradients = std::vector<torch::Tensor>;

torch::Tensor length_of_rows(const torch::Tensor& rows) {
    return at::linalg_vector_norm(rows, 2, at::IntArrayRef{1}, /*keepdim=*/true);
}

class MetaLoop {
  public:
    MetaLoop(const std::vector<torch::Tensor>& parameters, const std::vector<PenalisedSlices>& penalised,
             double lambda, const MetaOptions& options)
        : penalised_(penalised), lambda_(lambda), options_(options) {
        // Another view of the values: graphs of these parameters do not notice.
        for (const auto& parameter : parameters) values_.push_back(parameter.data());
    }

    /// An inner step from the parameters as they are. Returns a slope per entry of `penalised`.
    std::vector<torch::Tensor> move(const Gradients& gradients) const {
        std::vector<InnerStep> steps;
        for (const auto& [number, slices] : penalised_) {
            const auto rows = slices->rows(values_[number]);
            const auto& gradient = gradients[number];
            steps.push_back(inner_step(
                rows, gradient.defined() ? slices->rows(gradient) : torch::zeros_like(rows), options_.alpha,
                lambda_, penalty_factor(*slices, options_.proximal), options_.proximal));
        }
        for (size_t i = 0; i < values_.size(); ++i)
            if (gradients[i].defined()) torch::Tensor(values_[i]).sub_(gradients[i] * options_.alpha);
        std::vector<torch::Tensor> slopes;
        for (size_t i = 0; i < steps.size(); ++i) {
            penalised_[i].slices->set_rows(steps[i].weights);
            slopes.push_back(steps[i].slope);
        }
        return slopes;
    }

    double along(const std::vector<torch::Tensor>& slopes, const Gradients& gradients) const {
        auto sum = torch::zeros({}, torch::kDouble);
        for (size_t i = 0; i < slopes.size(); ++i)
            if (const auto& gradient = gradients[penalised_[i].parameter]; gradient.defined())
                sum = sum + (slopes[i] * penalised_[i].slices->rows(gradient)).sum().cpu();
        return sum.item<double>();
    }

    Gradients copies() const {
        Gradients copies;
        for (const auto& value : values_) copies.push_back(value.clone());
        return copies;
    }
    void restore(const Gradients& copies) const {
        for (size_t i = 0; i < values_.size(); ++i) torch::Tensor(values_[i]).copy_(copies[i]);
    }

  private:
    const std::vector<PenalisedSlices>& penalised_;
    double lambda_;
    const MetaOptions& options_;
    Gradients values_;
};

/// The gradients of sets of tasks at one place: every task's own are taken once.
class GradientsOfSets {
  public:
    explicit GradientsOfSets(const LossGradients& gradients) : gradients_(gradients) {}
    Gradients of(const std::vector<size_t>& tasks) {
        std::vector<Gradients> lists;
        for (const size_t task : tasks) {
            auto& known = of_task_[task];
            if (known.empty()) known = gradients_({task});
            lists.push_back(known);
        }
        return sum_gradients(lists);
    }

  private:
    const LossGradients& gradients_;
    std::map<size_t, Gradients> of_task_;
};

void divide(MetaStep& step, double count) {
    step.slope /= count;
    for (auto& gradient : step.gradients)
        if (gradient.defined()) gradient = gradient / count;
}

}  // namespace

InnerStep inner_step(const torch::Tensor& weights, const torch::Tensor& gradient, double alpha, double lambda,
                     double factor, bool proximal) {
    const auto before = weights.to(torch::kDouble), moved = before - alpha * gradient.to(torch::kDouble);
    const auto& of = proximal ? moved : before;
    const auto length = length_of_rows(of);
    const auto alive = length > (proximal ? alpha * lambda * factor : 0.0);
    const auto slope = torch::where(alive, of * (-alpha * factor / length), torch::zeros_like(of));
    const auto after = moved + lambda * slope;
    return {proximal ? torch::where(alive, after, torch::zeros_like(after)) : after, slope};
}

std::vector<std::vector<size_t>> task_subsets(size_t tasks) {
    std::vector<std::vector<size_t>> subsets;
    for (size_t bits = 1; bits < size_t{1} << tasks; ++bits) {
        std::vector<size_t> subset;
        for (size_t t = 0; t < tasks; ++t)
            if ((bits >> t) % 2 == 1) subset.push_back(t);
        if (subset.size() > 1 || tasks == 1) subsets.push_back(std::move(subset));
    }
    std::stable_sort(subsets.begin(), subsets.end(),
                     [](const auto& a, const auto& b) { return a.size() < b.size(); });
    return subsets;
}

double penalty_factor(const ChannelSlices& slices, bool proximal) {
    return std::sqrt(static_cast<double>(proximal ? slices.weights : slices.present));
}

torch::Tensor penalty_of(const std::vector<PenalisedSlices>& penalised) {
    auto sum = torch::zeros({}, torch::kDouble);
    for (const auto& [number, slices] : penalised)
        sum = sum + slices->sums(2).sqrt().sum().cpu() * penalty_factor(*slices, /*proximal=*/false);
    return sum;
}

MetaStep meta_step(const std::vector<torch::Tensor>& parameters,
                   const std::vector<PenalisedSlices>& penalised,
                   const std::vector<std::vector<size_t>>& episodes, double lambda,
                   const LossGradients& training, const LossGradients& validation,
                   const MetaOptions& options) {
    const torch::NoGradGuard no_grad;
    const MetaLoop loop(parameters, penalised, lambda, options);
    MetaStep result;
    std::vector<Gradients> found;
    if (options.shared_snapshots) {
        std::vector<torch::Tensor> slopes;
        for (const auto& episode : episodes) {
            const auto more = loop.move(training(episode));
            slopes = slopes.empty() ? more : sum_gradients({slopes, more});
        }
        for (const auto& episode : episodes) found.push_back(validation(episode));
        result.gradients = sum_gradients(found);
        result.slope = loop.along(slopes, result.gradients);
    } else {
        const auto start = loop.copies();
        GradientsOfSets gradients(training);
        std::vector<Gradients> of_sets;
        for (const auto& episode : episodes) of_sets.push_back(gradients.of(episode));
        for (size_t e = 0; e < episodes.size(); ++e) {
            const auto slopes = loop.move(of_sets[e]);
            found.push_back(validation(episodes[e]));
            result.slope += loop.along(slopes, found.back());
            loop.restore(start);
        }
        result.gradients = sum_gradients(found);
    }
    if (!options.summed) divide(result, static_cast<double>(episodes.size()));
    return result;
}

}  // namespace mtlprune

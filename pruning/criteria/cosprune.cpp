#include "pruning/criteria/cosprune.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <algorithm>

#include "base/error.h"

namespace mtlprune {
namespace {

/// Each gradient as [C, K] with a filter's elements dense in memory. Their order is irrelevant as long as all
/// tasks share it, so gradients that are all channels-last are not copied.
std::vector<torch::Tensor> filter_rows(const std::vector<torch::Tensor>& gradients) {
    const bool channels_last =
        std::all_of(gradients.begin(), gradients.end(), [](const torch::Tensor& gradient) {
            return gradient.dim() == 4 && gradient.is_contiguous(torch::MemoryFormat::ChannelsLast);
        });
    std::vector<torch::Tensor> rows;
    rows.reserve(gradients.size());
    for (const auto& gradient : gradients)
        rows.push_back((channels_last ? gradient.permute({0, 2, 3, 1}) : gradient).flatten(1).contiguous());
    return rows;
}

template <typename T>
void gram_rows(const std::vector<const T*>& rows, int64_t channels, int64_t length, double* out) {
    const auto tasks = static_cast<int64_t>(rows.size());
    at::parallel_for(
        0, channels, std::max<int64_t>(1, 16384 / (length + 1)), [&](int64_t begin, int64_t end) {
            for (int64_t c = begin; c < end; ++c)
                for (int64_t i = 0; i < tasks; ++i)
                    for (int64_t j = i; j < tasks; ++j) {
                        const T* a = rows[i] + c * length;
                        const T* b = rows[j] + c * length;
                        // Eight partial sums let the compiler vectorise a sum whose order must stay fixed.
                        double partial[8] = {};
                        int64_t k = 0;
                        for (; k + 8 <= length; k += 8)
                            for (int64_t p = 0; p < 8; ++p)
                                partial[p] += static_cast<double>(a[k + p]) * b[k + p];
                        for (; k < length; ++k) partial[0] += static_cast<double>(a[k]) * b[k];
                        double sum = 0;
                        for (const double value : partial) sum += value;
                        out[(c * tasks + i) * tasks + j] = out[(c * tasks + j) * tasks + i] = sum;
                    }
        });
}

}  // namespace

torch::Tensor task_gram(const std::vector<torch::Tensor>& gradients) {
    torch::NoGradGuard no_grad;
    const auto rows = filter_rows(gradients);
    const auto tasks = static_cast<int64_t>(rows.size());
    if (!rows[0].device().is_cpu()) {
        const auto stacked = torch::stack(rows, 1).to(torch::kDouble);  // [C, T, K]
        return torch::bmm(stacked, stacked.transpose(1, 2));
    }
    auto gram = torch::empty({rows[0].size(0), tasks, tasks}, torch::kDouble);
    AT_DISPATCH_FLOATING_TYPES(rows[0].scalar_type(), "task_gram", [&] {
        std::vector<const scalar_t*> data;
        data.reserve(rows.size());
        for (const auto& row : rows) data.push_back(row.data_ptr<scalar_t>());
        gram_rows(data, rows[0].size(0), rows[0].size(1), gram.data_ptr<double>());
    });
    return gram;
}

torch::Tensor mean_pairwise_cosine(const torch::Tensor& gram) {
    const int64_t tasks = gram.size(1);
    const auto norms = gram.diagonal(0, 1, 2).sqrt() + 1e-30;  // [C, T]
    const auto cosines = gram / (norms.unsqueeze(2) * norms.unsqueeze(1)).clamp_min(1e-300);
    const auto upper = torch::ones({tasks, tasks}, gram.options()).triu(1);
    return (cosines * upper).sum({1, 2}) / (static_cast<double>(tasks * (tasks - 1)) / 2.0);
}

namespace {

/// Score = mean over mini-batches since the last event of the mean over task pairs of cos(dL_i/dW_c,
/// dL_j/dW_c); weights only, biases not. Filters on which tasks conflict most (most negative) go first. A
/// zero gradient gives cosine 0. The gradients of a group's producers are concatenated.
class CosPrune : public Criterion {
  public:
    Needs needs() const override { return {.task_gradients = true}; }

    void observe(const Evidence& batch) override {
        const torch::NoGradGuard no_grad;
        std::vector<torch::Tensor> contributions;
        for (const size_t number : batch.asked())
            contributions.push_back(mean_pairwise_cosine(gram(batch, batch.groups()[number])));
        mean_.add(contributions);
    }

    Scores scores(const Evidence& now) const override { return mean_.mean("cosprune", now); }
    void after_event(const std::vector<torch::Tensor>&) override { mean_.reset(); }

    std::map<std::string, torch::Tensor> state() const override {
        std::map<std::string, torch::Tensor> state;
        mean_.save(state);
        return state;
    }
    void load_state(const std::map<std::string, torch::Tensor>& state) override { mean_.load(state); }

  private:
    static torch::Tensor gram(const Evidence& batch, const Group& group) {
        torch::Tensor sum;
        for (const auto& member : group.members) {
            if (member.role != Role::output || member.is_buffer) continue;
            const auto found = batch.task_gradients.find(member.tensor);
            if (found == batch.task_gradients.end() || found->second.front().dim() < 2) continue;
            if (found->second.size() < 2)
                throw Error("criterion cosprune", group.name, "gradients of at least 2 tasks",
                            std::to_string(found->second.size()));
            std::vector<torch::Tensor> rows;
            for (const auto& gradient : found->second) rows.push_back(Evidence::rows(member, gradient));
            const auto term = task_gram(rows);
            sum = sum.defined() ? sum + term : term;
        }
        if (!sum.defined())
            throw Error("criterion cosprune", group.name, "per-task gradients of its producers' weights",
                        "none");
        return sum;
    }

    ScoreMean mean_;
};

}  // namespace

Registry<Criterion>::Entry cosprune_criterion() {
    return {{.key = "cosprune",
             .summary =
                 "mean cosine between the tasks' gradients of a filter: where tasks conflict, channels leave",
             .paper = "Garg, Zhang, Guan, Structured Pruning for Multi-Task Deep Neural Networks, 2023"},
            [](const nlohmann::json&) { return std::make_unique<CosPrune>(); }};
}

}  // namespace mtlprune

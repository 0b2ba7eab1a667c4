#include "pruning/criteria/task_scores.h"

#include <torch/utils.h>

#include "base/enum_names.h"

namespace mtlprune {
namespace {

const EnumNames<TaskNormaliser> kTaskNormalisers = {{TaskNormaliser::sum, "sum"},
                                                    {TaskNormaliser::mean, "mean"},
                                                    {TaskNormaliser::layer, "layer"},
                                                    {TaskNormaliser::none, "none"}};

/// As many rows as each group has.
std::vector<torch::Tensor> split_like(const torch::Tensor& all, const std::vector<torch::Tensor>& groups) {
    std::vector<int64_t> sizes;
    for (const auto& group : groups) sizes.push_back(group.size(0));
    return all.split_with_sizes(sizes, 0);
}

torch::Tensor one_where_zero(const torch::Tensor& divisor) {
    return torch::where(divisor == 0, torch::ones_like(divisor), divisor);
}

}  // namespace

Option task_normaliser_option(const char* fallback) {
    return {"task_normaliser", fallback,
            "what each task's scores are divided by: their sum or mean over all channels, their L2 norm in "
            "each layer, nothing",
            kTaskNormalisers.names()};
}

TaskNormaliser read_task_normaliser(const nlohmann::json& options) {
    return kTaskNormalisers.value(options.at("task_normaliser").get<std::string>(), "task_normaliser");
}

std::vector<torch::Tensor> normalise_tasks(std::vector<torch::Tensor> groups, TaskNormaliser normaliser) {
    if (groups.empty() || normaliser == TaskNormaliser::none) return groups;
    if (normaliser == TaskNormaliser::layer) {
        for (auto& group : groups) group = group / one_where_zero(group.square().sum(0, true).sqrt());
        return groups;
    }
    const auto all = torch::cat(groups, 0);
    const auto divisor = normaliser == TaskNormaliser::sum ? all.sum(0, true) : all.mean(0, true);
    return split_like(all / one_where_zero(divisor), groups);
}

torch::Tensor relative_ranks(const torch::Tensor& values) {
    const auto [distinct, which, counts] = at::_unique2(values.to(torch::kCPU), /*sorted=*/true,
                                                        /*return_inverse=*/true, /*return_counts=*/true);
    const auto count = counts.to(torch::kDouble);
    const auto mean_rank = count.cumsum(0) - (count + 1.0) / 2.0;
    const double last = static_cast<double>(std::max<int64_t>(values.numel() - 1, 1));
    return mean_rank.index_select(0, which) / last;
}

std::vector<torch::Tensor> ranks_among_all(const std::vector<torch::Tensor>& groups) {
    if (groups.empty()) return groups;
    std::vector<torch::Tensor> columns;
    for (const auto& column : torch::cat(groups, 0).unbind(1)) columns.push_back(relative_ranks(column));
    return split_like(torch::stack(columns, 1), groups);
}

}  // namespace mtlprune

#include "pruning/evidence/task_cosines.h"

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

torch::Tensor pairwise_cosines(const torch::Tensor& gram) {
    const auto norms = gram.diagonal(0, 1, 2).sqrt() + 1e-30;  // [C, T]
    return gram / (norms.unsqueeze(2) * norms.unsqueeze(1)).clamp_min(1e-300);
}

torch::Tensor pairs_with_gradients(const torch::Tensor& gram) {
    const auto has = (gram.diagonal(0, 1, 2) > 0).to(torch::kDouble);  // [C, T]
    return (has.unsqueeze(2) * has.unsqueeze(1)).triu(1);
}

torch::Tensor mean_pairwise_cosine(const torch::Tensor& gram) {
    const int64_t tasks = gram.size(1);
    const auto upper = torch::ones({tasks, tasks}, gram.options()).triu(1);
    return (pairwise_cosines(gram) * upper).sum({1, 2}) / (static_cast<double>(tasks * (tasks - 1)) / 2.0);
}

torch::Tensor mean_pairwise_conflict(const torch::Tensor& gram) {
    const auto pairs = pairs_with_gradients(gram);
    const auto conflicts = (-pairwise_cosines(gram)).clamp(0.0, 1.0) * pairs;
    return conflicts.sum({1, 2}) / pairs.sum({1, 2}).clamp_min(1.0);
}

std::vector<const Member*> filter_members(const Group& group) {
    std::vector<const Member*> members;
    for (const auto& member : group.members)
        if (member.role == Role::output && !member.is_buffer) members.push_back(&member);
    return members;
}

torch::Tensor filter_gram(const Group& group, const GradientLists& task_gradients,
                          const std::string& criterion) {
    torch::Tensor sum;
    for (const Member* member : filter_members(group)) {
        const auto found = task_gradients.find(member->tensor);
        if (found == task_gradients.end() || found->second.front().dim() < 2) continue;
        if (found->second.size() < 2)
            throw Error("criterion " + criterion, group.name, "gradients of at least 2 tasks",
                        std::to_string(found->second.size()));
        std::vector<torch::Tensor> rows;
        for (const auto& gradient : found->second) rows.push_back(Evidence::rows(*member, gradient));
        const auto term = task_gram(rows);
        sum = sum.defined() ? sum + term : term;
    }
    if (!sum.defined())
        throw Error("criterion " + criterion, group.name, "per-task gradients of its producers' weights",
                    "none");
    return sum;
}

}  // namespace mtlprune

#include "pruning/coupling/gather.h"

#include <ATen/Parallel.h>

#include <cstring>

namespace mtlprune {
namespace {

/// Neighbouring indices that stay, as one piece of memory.
struct Run {
    int64_t source, target, bytes;
};

std::vector<Run> runs_of(const std::vector<int64_t>& indices, int64_t bytes_per_index) {
    std::vector<Run> runs;
    for (size_t i = 0; i < indices.size(); ++i) {
        const bool goes_on = i > 0 && indices[i] == indices[i - 1] + 1;
        if (goes_on)
            runs.back().bytes += bytes_per_index;
        else
            runs.push_back(
                {indices[i] * bytes_per_index, static_cast<int64_t>(i) * bytes_per_index, bytes_per_index});
    }
    return runs;
}

/// Byte offsets of everything in front of the last pruned dimension.
std::vector<int64_t> row_offsets(const torch::Tensor& tensor, const std::vector<KeptIndices>& kept) {
    std::vector<int64_t> offsets = {0};
    auto next = kept.begin();
    for (int64_t dim = 0; dim < kept.back().dim; ++dim) {
        std::vector<int64_t> all;
        const bool pruned = next->dim == dim;
        if (!pruned)
            for (int64_t i = 0; i < tensor.size(dim); ++i) all.push_back(i);
        const auto& stay = pruned ? (next++)->indices : all;
        const int64_t stride = tensor.stride(dim) * static_cast<int64_t>(tensor.itemsize());
        std::vector<int64_t> deeper;
        deeper.reserve(offsets.size() * stay.size());
        for (const int64_t offset : offsets)
            for (const int64_t index : stay) deeper.push_back(offset + index * stride);
        offsets = std::move(deeper);
    }
    return offsets;
}

torch::Tensor gather_dense(const torch::Tensor& tensor, const std::vector<KeptIndices>& kept) {
    auto shape = tensor.sizes().vec();
    for (const auto& [dim, indices] : kept) shape[dim] = static_cast<int64_t>(indices.size());
    auto result = torch::empty(shape, tensor.options().requires_grad(false));
    const auto rows = row_offsets(tensor, kept);
    const int64_t per_index = tensor.stride(kept.back().dim) * static_cast<int64_t>(tensor.itemsize());
    const auto runs = runs_of(kept.back().indices, per_index);
    const int64_t row_bytes = static_cast<int64_t>(kept.back().indices.size()) * per_index;
    const auto* source = static_cast<const char*>(tensor.data_ptr());
    auto* target = static_cast<char*>(result.data_ptr());
    const auto count = static_cast<int64_t>(runs.size());
    const int64_t total = static_cast<int64_t>(rows.size()) * count;
    const int64_t grain = std::max<int64_t>(
        1, (1 << 18) * total / std::max<int64_t>(1, row_bytes * static_cast<int64_t>(rows.size())));
    at::parallel_for(0, total, grain, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
            const auto& run = runs[i % count];
            const int64_t row = i / count;
            std::memcpy(target + row * row_bytes + run.target, source + rows[row] + run.source, run.bytes);
        }
    });
    return result;
}

}  // namespace

torch::Tensor gather(const torch::Tensor& tensor, const std::vector<KeptIndices>& kept) {
    if (tensor.is_cpu() && tensor.is_contiguous() && tensor.numel() > 0) return gather_dense(tensor, kept);
    auto result = tensor;
    for (const auto& [dim, indices] : kept)
        result = result.index_select(dim, torch::tensor(indices, torch::kInt64).to(tensor.device()));
    return result.contiguous(tensor.suggest_memory_format());
}

}  // namespace mtlprune

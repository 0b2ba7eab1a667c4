#include "models/layers/dropout.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "base/random.h"

namespace mtlprune {
namespace {

/// Elements first .. last-1 of the mask.
template <typename T>
void fill_mask(T* mask, int64_t first, int64_t last, double p, uint64_t key) {
    const auto threshold = static_cast<uint64_t>(p * 65536.0);
    const T keep = static_cast<T>(1.0 / (1.0 - p));
    constexpr int64_t kPerDraw = 4;
    at::parallel_for(
        first / kPerDraw, (last + kPerDraw - 1) / kPerDraw, 4096, [&](int64_t begin, int64_t end) {
            for (int64_t draw = begin; draw < end; ++draw) {
                const int64_t start = std::max(first, draw * kPerDraw),
                              stop = std::min(last, (draw + 1) * kPerDraw);
                uint64_t bits = Random(key + static_cast<uint64_t>(draw) * 0x9e3779b97f4a7c15ULL).bits() >>
                                (16 * (start - draw * kPerDraw));
                for (int64_t i = start; i < stop; ++i, bits >>= 16)
                    mask[i - first] = (bits & 0xffff) < threshold ? T(0) : keep;
            }
        });
}

template <typename T>
void fill_shard(T* mask, const torch::Tensor& x, double p, uint64_t key, const DropoutShard& shard) {
    if (shard.ranks == 1 || x.dim() == 0) return fill_mask(mask, 0, x.numel(), p, key);
    const int64_t row = x.numel() / std::max<int64_t>(1, x.size(0));
    for (int64_t i = 0; i < x.size(0); ++i) {
        const int64_t first = (i * shard.ranks + shard.rank) * row;
        fill_mask(mask + i * row, first, first + row, p, key);
    }
}

}  // namespace

torch::Tensor keyed_dropout(const torch::Tensor& x, double p, uint64_t key, const DropoutShard& shard) {
    if (p <= 0.0) return x;
    if (x.is_cuda()) {
        auto mask = torch::empty_like(x, x.options().requires_grad(false));  // in the layout of x
        auto generator = at::globalContext().defaultGenerator(x.device()).clone();
        generator.set_current_seed(
            shard.rank == 0 ? key : mix_key(key, Stream::method, static_cast<uint64_t>(shard.rank)));
        return x * mask.bernoulli_(1.0 - p, generator).div_(1.0 - p);
    }
    auto mask = torch::empty(x.sizes(), x.options().requires_grad(false));
    AT_DISPATCH_FLOATING_TYPES_AND2(torch::kBFloat16, torch::kHalf, x.scalar_type(), "keyed_dropout",
                                    [&] { fill_shard(mask.data_ptr<scalar_t>(), x, p, key, shard); });
    return x * mask;
}

void set_dropout_keys(torch::nn::Module& module, uint64_t key) {
    uint64_t layer = 0, part = 0;
    for (const auto& child : module.children()) {
        if (auto* dropout = dynamic_cast<DropoutImpl*>(child.get()))
            dropout->key = mix_key(key, Stream::method, ++layer);
        else
            set_dropout_keys(*child, mix_key(key, Stream::method, part++));
    }
}

void set_dropout_shard(torch::nn::Module& module, const DropoutShard& shard) {
    for (const auto& child : module.modules(/*include_self=*/false))
        if (auto* dropout = dynamic_cast<DropoutImpl*>(child.get())) dropout->shard = shard;
}

}  // namespace mtlprune

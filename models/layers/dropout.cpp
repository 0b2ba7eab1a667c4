#include "models/layers/dropout.h"

#include <ATen/Parallel.h>

#include "base/random.h"

namespace mtlprune {
namespace {

template <typename T>
void fill_mask(T* mask, int64_t n, double p, uint64_t key) {
    const auto threshold = static_cast<uint64_t>(p * 65536.0);
    const T keep = static_cast<T>(1.0 / (1.0 - p));
    constexpr int64_t kPerDraw = 4;
    at::parallel_for(0, (n + kPerDraw - 1) / kPerDraw, 4096, [&](int64_t begin, int64_t end) {
        for (int64_t draw = begin; draw < end; ++draw) {
            uint64_t bits = Random(key + static_cast<uint64_t>(draw) * 0x9e3779b97f4a7c15ULL).bits();
            const int64_t stop = std::min(n, (draw + 1) * kPerDraw);
            for (int64_t i = draw * kPerDraw; i < stop; ++i, bits >>= 16)
                mask[i] = (bits & 0xffff) < threshold ? T(0) : keep;
        }
    });
}

}  // namespace

torch::Tensor keyed_dropout(const torch::Tensor& x, double p, uint64_t key) {
    if (p <= 0.0) return x;
    if (x.is_cuda()) {
        auto mask = torch::empty_like(x, x.options().requires_grad(false));  // in the layout of x
        auto generator = at::globalContext().defaultGenerator(x.device()).clone();
        generator.set_current_seed(key);
        return x * mask.bernoulli_(1.0 - p, generator).div_(1.0 - p);
    }
    auto mask = torch::empty(x.sizes(), x.options().requires_grad(false));
    AT_DISPATCH_FLOATING_TYPES_AND2(torch::kBFloat16, torch::kHalf, x.scalar_type(), "keyed_dropout",
                                    [&] { fill_mask(mask.data_ptr<scalar_t>(), mask.numel(), p, key); });
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

}  // namespace mtlprune

#include "training/fused_adam.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "training/parameter_key.h"

namespace mtlprune {
namespace {

/// One step's constants.
struct AdamFactors {
    float keep;   ///< of the parameter: 1 - lr * decoupled decay
    float decay;  ///< added to the gradient
    float beta1, beta2;
    float new1, new2;  ///< 1 - beta
    float scale;       ///< of the second moment's root, by its bias
    float eps, rate;   ///< rate: lr by the first moment's bias
};

/// Neighbouring values of a parameter, which move together. Their number does not depend on the number of
/// threads, and with it no bit.
struct AdamPiece {
    AdamFactors factors;
    float* parameter;
    const float* gradient;
    float *first, *second;
    int64_t count;
};

constexpr int64_t kPieceValues = 16384;

inline __attribute__((always_inline)) void update_piece(const AdamPiece& piece) {
    const AdamFactors f = piece.factors;
    float* __restrict__ parameter = piece.parameter;
    const float* __restrict__ gradient = piece.gradient;
    float* __restrict__ first = piece.first, * __restrict__ second = piece.second;
    for (int64_t i = 0; i < piece.count; ++i) {
        const float p = f.keep * parameter[i];
        const float g = gradient[i] + f.decay * p;
        first[i] = f.beta1 * first[i] + f.new1 * g;
        second[i] = f.beta2 * second[i] + f.new2 * g * g;
        parameter[i] = p - f.rate * first[i] / (std::sqrt(second[i]) * f.scale + f.eps);
    }
}

using UpdatePiece = void (*)(const AdamPiece& piece);

void update_portable(const AdamPiece& piece) {
    update_piece(piece);
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void update_avx512(const AdamPiece& piece) {
    update_piece(piece);
}

__attribute__((target("avx2,fma"))) void update_avx2(const AdamPiece& piece) {
    update_piece(piece);
}
#endif

UpdatePiece update_for_processor() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return update_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return update_avx2;
#endif
    return update_portable;
}

template <class Options>
AdamFactors adam_factors(const Options& options, bool decoupled, int64_t step) {
    const auto [beta1, beta2] = options.betas();
    const auto steps = static_cast<double>(step);
    AdamFactors factors = {};
    factors.keep = static_cast<float>(decoupled ? 1.0 - options.lr() * options.weight_decay() : 1.0);
    factors.decay = static_cast<float>(decoupled ? 0.0 : options.weight_decay());
    factors.beta1 = static_cast<float>(beta1);
    factors.beta2 = static_cast<float>(beta2);
    factors.new1 = static_cast<float>(1.0 - beta1);
    factors.new2 = static_cast<float>(1.0 - beta2);
    factors.scale = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(beta2, steps)));
    factors.eps = static_cast<float>(options.eps());
    factors.rate = static_cast<float>(options.lr() / (1.0 - std::pow(beta1, steps)));
    return factors;
}

bool fusible(const torch::Tensor& parameter) {
    const auto& gradient = parameter.grad();
    const auto plain = [](const torch::Tensor& x) {
        return x.is_cpu() && x.scalar_type() == torch::kFloat && x.layout() == torch::kStrided;
    };
    return !gradient.defined() ||
           (plain(parameter) && plain(gradient) && parameter.is_non_overlapping_and_dense());
}

/// `x` in the order in which the values of `parameter` lie in memory.
torch::Tensor in_order_of(const torch::Tensor& parameter, const torch::Tensor& x) {
    if (x.strides() == parameter.strides()) return x;
    return torch::empty_like(parameter, parameter.options().requires_grad(false)).copy_(x);
}

/// Base: torch::optim::Adam or AdamW, whose state this goes on with.
template <class Base, class Options, class State>
class FusedAdam : public Base {
  public:
    using Base::Base;

    torch::Tensor step(typename Base::LossClosure closure = nullptr) override {
        for (const auto& group : this->param_groups_) {
            if (static_cast<const Options&>(group.options()).amsgrad()) return Base::step(closure);
            for (const auto& parameter : group.params())
                if (!fusible(parameter)) return Base::step(closure);
        }
        torch::Tensor loss;
        if (closure != nullptr) {
            const torch::AutoGradMode enable(true);
            loss = closure();
        }
        const torch::NoGradGuard no_grad;
        update_all();
        return loss;
    }

  private:
    void update_all() {
        static const UpdatePiece update = update_for_processor();
        std::vector<AdamPiece> pieces;
        std::vector<torch::Tensor> gradients;
        for (auto& group : this->param_groups_)
            for (auto& parameter : group.params())
                if (parameter.grad().defined()) {
                    gradients.push_back(in_order_of(parameter, parameter.grad()));
                    cut(static_cast<Options&>(group.options()), parameter, gradients.back(), pieces);
                }
        at::parallel_for(0, static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) update(pieces[i]);
        });
    }

    State& state_of(const torch::Tensor& parameter) {
        auto& found = this->state_[parameter_key(parameter)];
        if (!found) {
            auto fresh = std::make_unique<State>();
            fresh->step(0);
            fresh->exp_avg(torch::zeros_like(parameter, parameter.options().requires_grad(false)));
            fresh->exp_avg_sq(torch::zeros_like(parameter, parameter.options().requires_grad(false)));
            found = std::move(fresh);
        }
        return static_cast<State&>(*found);
    }

    void cut(const Options& options, const torch::Tensor& parameter, const torch::Tensor& gradient,
             std::vector<AdamPiece>& pieces) {
        constexpr bool kDecoupled = std::is_same_v<Base, torch::optim::AdamW>;
        auto& state = state_of(parameter);
        state.step(state.step() + 1);
        state.exp_avg(in_order_of(parameter, state.exp_avg()));
        state.exp_avg_sq(in_order_of(parameter, state.exp_avg_sq()));
        const auto factors = adam_factors(options, kDecoupled, state.step());
        float* values = parameter.data_ptr<float>();
        const float* slopes = gradient.data_ptr<float>();
        float *first = state.exp_avg().template data_ptr<float>(),
              *second = state.exp_avg_sq().template data_ptr<float>();
        for (int64_t i = 0; i < parameter.numel(); i += kPieceValues)
            pieces.push_back({factors, values + i, slopes + i, first + i, second + i,
                              std::min(kPieceValues, parameter.numel() - i)});
    }
};

}  // namespace

std::unique_ptr<torch::optim::Optimizer> fused_adam(const std::vector<torch::Tensor>& parameters,
                                                    const torch::optim::AdamOptions& options) {
    using torch::optim::Adam, torch::optim::AdamOptions, torch::optim::AdamParamState;
    return std::make_unique<FusedAdam<Adam, AdamOptions, AdamParamState>>(parameters, options);
}

std::unique_ptr<torch::optim::Optimizer> fused_adamw(const std::vector<torch::Tensor>& parameters,
                                                     const torch::optim::AdamWOptions& options) {
    using torch::optim::AdamW, torch::optim::AdamWOptions, torch::optim::AdamWParamState;
    return std::make_unique<FusedAdam<AdamW, AdamWOptions, AdamWParamState>>(parameters, options);
}

}  // namespace mtlprune

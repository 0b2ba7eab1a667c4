#include "training/precision.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include "base/error.h"

namespace mtlprune {
namespace {

constexpr double kFirstScale = 65536.0;
constexpr int64_t kGrowthInterval = 2000;

}  // namespace

const EnumNames<Precision>& precisions() {
    static const EnumNames<Precision> names = {
        {Precision::float32, "float32"}, {Precision::bfloat16, "bfloat16"}, {Precision::float16, "float16"}};
    return names;
}

void require_precision(Precision precision, torch::Device device) {
    if (precision == Precision::float16 && !device.is_cuda())
        throw Error("configuration", "precision", "float32 or bfloat16 (LibTorch on a CPU)", "float16");
}

PrecisionScope::PrecisionScope(Precision precision, torch::Device device) {
    if (precision == Precision::float32) return;
    casts_.emplace(device, precision == Precision::bfloat16 ? torch::kBFloat16 : torch::kHalf);
}

LossScale::LossScale(Precision precision)
    : active_(precision == Precision::float16), value_(active_ ? kFirstScale : 1.0) {}

void LossScale::update(bool finite, int64_t iteration) {
    if (!active_) return;
    if (!finite) {
        if (value_ <= 1.0)
            throw Error("training", fmt::format("iteration {}", iteration), "finite losses and gradients",
                        "gradients that are not, at the smallest loss scale too");
        value_ /= 2.0;
        finite_in_a_row_ = 0;
    } else if (++finite_in_a_row_ == kGrowthInterval) {
        value_ *= 2.0;
        finite_in_a_row_ = 0;
    }
}

TensorMap LossScale::state() const {
    if (!active_) return {};
    return {{"value", torch::tensor(value_, torch::kDouble)},
            {"finite_in_a_row", torch::tensor(finite_in_a_row_)}};
}

void LossScale::load_state(const TensorMap& state) {
    if (!active_) return;
    for (const char* name : {"value", "finite_in_a_row"})
        if (!state.contains(name))
            throw Error("checkpoint", std::string("loss_scale.") + name, "a number", "nothing");
    value_ = state.at("value").item<double>();
    finite_in_a_row_ = state.at("finite_in_a_row").item<int64_t>();
}

}  // namespace mtlprune

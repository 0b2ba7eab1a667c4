#include "training/callbacks/feature_distillation.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include "base/error.h"

namespace mtlprune {

FeatureDistillation::FeatureDistillation(ModelPtr teacher, std::vector<torch::Tensor> kept, double weight)
    : teacher_(std::move(teacher)), kept_(std::move(kept)), weight_(weight) {
    teacher_->eval();
    const auto device = teacher_->parameters().front().device();
    for (auto& channels : kept_) channels = channels.to(device);
}

torch::Tensor FeatureDistillation::feature_loss(const Batch& batch, const FeatureMaps& features,
                                                const torch::Tensor& losses) {
    FeatureMaps wanted;
    {
        const torch::NoGradGuard no_grad;
        wanted = teacher_->features(batch.image);
        for (size_t m = 0; m < wanted.size(); ++m) wanted[m] = wanted[m].index_select(1, kept_.at(m));
    }
    torch::Tensor distance;
    for (size_t m = 0; m < wanted.size(); ++m) {
        if (wanted[m].sizes() != features.at(m).sizes())
            throw Error("distillation", fmt::format("map {}", m),
                        fmt::format("the teacher's kept channels, {}", c10::str(wanted[m].sizes())),
                        c10::str(features[m].sizes()));
        const auto of_map = (features[m] - wanted[m]).square().mean();
        distance = distance.defined() ? distance + of_map : of_map;
    }
    if (!beta_.defined()) {
        const auto first = distance.detach();
        beta_ = weight_ * torch::where(first > 0, losses.sum() / first, torch::ones_like(first));
    }
    return beta_ * distance;
}

TensorMap FeatureDistillation::state() const {
    if (!beta_.defined()) return {};
    return {{"beta", beta_}};
}

void FeatureDistillation::load_state(const TensorMap& state) {
    if (const auto found = state.find("beta"); found != state.end())
        beta_ = found->second.to(teacher_->parameters().front().device());
}

}  // namespace mtlprune

#include "models/multi_task_model.h"

#include "base/random.h"
#include "models/layers/dropout.h"

namespace mtlprune {
namespace {

/// Keys of the heads are numbered from 0 by task.
constexpr uint64_t kBackboneKey = ~uint64_t{0};

}  // namespace

MultiTaskModel::MultiTaskModel(std::shared_ptr<Backbone> backbone, std::vector<TaskSpec> tasks,
                               const MakeHead& make_head)
    : Model(std::move(tasks)),
      backbone_(register_module("backbone", std::move(backbone))),
      container_(register_module("heads", std::make_shared<torch::nn::Module>())) {
    for (const auto& task : this->tasks()) {
        heads_.push_back(make_head(task));
        container_->register_module(task.name, heads_.back());
    }
}

FeatureMaps MultiTaskModel::features(const torch::Tensor& image) {
    // On a GPU activations take the layout of the weights (models/placement.h); on a CPU each convolution
    // chooses.
    return backbone_->forward(image.is_cuda() ? image.contiguous(torch::MemoryFormat::ChannelsLast) : image);
}

torch::Tensor MultiTaskModel::predict(size_t task, const FeatureMaps& features) {
    return heads_.at(task)->forward(features);
}

void MultiTaskModel::initialise(uint64_t seed) {
    uint64_t position = 0;
    backbone_->initialise(seed, position);
    for (auto& head : heads_) head->initialise(seed, position);
}

void MultiTaskModel::set_dropout_key(uint64_t key) {
    set_dropout_keys(*backbone_, mix_key(key, Stream::method, kBackboneKey));
    set_dropout_keys(*container_, key);
}

}  // namespace mtlprune

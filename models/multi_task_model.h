// Hard parameter sharing (Caruana 1997): one backbone for all tasks, one head for each.
#pragma once

#include <functional>

#include "models/backbones/backbone.h"
#include "models/heads/head.h"
#include "models/model.h"

namespace mtlprune {

class MultiTaskModel : public Model {
  public:
    using MakeHead = std::function<std::shared_ptr<Head>(const TaskSpec&)>;
    /// Modules "backbone" and "heads.<task's name>".
    MultiTaskModel(std::shared_ptr<Backbone> backbone, std::vector<TaskSpec> tasks,
                   const MakeHead& make_head);

    FeatureMaps features(const torch::Tensor& image) override;
    torch::Tensor predict(size_t task, const FeatureMaps& features) override;
    void initialise(uint64_t seed) override;
    void set_dropout_key(uint64_t key) override;
    void set_gates(const std::vector<torch::Tensor>& gates) override { backbone_->set_gates(gates); }
    std::vector<torch::Tensor> gates() const override { return backbone_->gates(); }

    Backbone& backbone() { return *backbone_; }
    Head& head(size_t task) { return *heads_.at(task); }

  private:
    std::shared_ptr<Backbone> backbone_;
    std::shared_ptr<torch::nn::Module> container_;
    std::vector<std::shared_ptr<Head>> heads_;
};

}  // namespace mtlprune

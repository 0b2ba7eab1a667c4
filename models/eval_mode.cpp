#include "models/eval_mode.h"

namespace mtlprune {

ModuleMode::ModuleMode(torch::nn::Module& module, bool training)
    : module_(module), training_(module.is_training()) {
    for (auto& child : module.modules(/*include_self=*/false))
        children_.emplace_back(child, child->is_training());
    module.train(training);
}

ModuleMode::~ModuleMode() {
    module_.train(training_);
    for (auto& [child, training] : children_) child->train(training);
}

}  // namespace mtlprune

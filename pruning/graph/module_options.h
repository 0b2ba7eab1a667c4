// Keeps what modules say about their sizes true.
#pragma once

#include <torch/nn/module.h>

#include <functional>
#include <string>
#include <vector>

#include "pruning/surgery/plan.h"

namespace mtlprune {

/// Sets the sizes in the options of `module` and all modules below it (convolutions, linear and bilinear
/// layers, normalisations, embeddings, PReLU, recurrent layers, attention) from the shapes of their tensors,
/// after `plan` was carried out. A depthwise convolution whose channels left keeps its multiplier and gets
/// fewer groups; all other convolutions keep their groups. Attention divides by the square root of a head's
/// width, so the rows that make its queries are scaled to make up for a smaller one.
void refresh_options(torch::nn::Module& module, const Plan& plan);

/// What shapes alone do not tell: the groups of all convolutions.
class OptionsSnapshot {
  public:
    explicit OptionsSnapshot(torch::nn::Module& module);
    /// To be called when all tensors have their former shapes (and values) again.
    void restore() const;

  private:
    torch::nn::Module& module_;
    std::vector<std::function<void()>> reset_;
};

/// All attention modules among the children.
std::vector<AttentionModule> attention_modules(const torch::nn::Module& module);

}  // namespace mtlprune

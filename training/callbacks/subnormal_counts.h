// How much of a training is arithmetic on subnormal numbers.
#pragma once

#include <string>
#include <vector>

#include "training/callback.h"

namespace mtlprune {

/// The share of the elements that are below the type's smallest normal number, but not zero. Read off the
/// bits, so that it is right while subnormal numbers are flushed too. A floating-point tensor; 0 without
/// elements.
double subnormal_share(const torch::Tensor& tensor);

struct SubnormalShare {
    std::string name;  ///< "weight.<parameter>", "gradient.<parameter>", "activation.<n>.<function>" or
                       ///< "prediction.<task>"
    double share;      ///< 0..1
};

/// The outputs of activation functions, in the order of a forward pass in eval mode on `image`, and the
/// predictions.
std::vector<SubnormalShare> subnormal_activations(Model& model, const torch::Tensor& image);

/// Counts in iteration 0 and every `every` after it: weights and gradients before the step, activations on
/// the iteration's first mini-batch.
class SubnormalCounts : public Callback {
  public:
    struct Count : SubnormalShare {
        int64_t iteration;
    };
    explicit SubnormalCounts(int64_t every);
    std::string name() const override { return "subnormals"; }
    void after_gradients(TrainingStep& step) override;
    TensorMap state() const override;
    void load_state(const TensorMap& state) override;

    const std::vector<Count>& counts() const { return counts_; }

  private:
    int64_t every_;
    std::vector<Count> counts_;
};

}  // namespace mtlprune

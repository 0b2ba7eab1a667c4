#include "training/gradient_norm.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>

#include "tests/random_batch.h"

namespace mtlprune::gradient_norm_test {
namespace {

std::vector<torch::Tensor> parameters_with(const std::vector<torch::Tensor>& gradients) {
    std::vector<torch::Tensor> parameters;
    for (const auto& gradient : gradients) {
        parameters.push_back(torch::zeros({3, 4}));
        if (!gradient.defined()) continue;
        parameters.back() = torch::zeros_like(gradient);
        parameters.back().mutable_grad() = gradient;
    }
    return parameters;
}

TEST(GlobalNorm, IsThatOfAllElementsAsOneVector) {
    const std::vector<torch::Tensor> gradients = {noise({3, 4, 2, 2}, 1, torch::kDouble), torch::Tensor(),
                                                  noise({7}, 2, torch::kDouble)};
    double squares = 0.0;
    for (const auto& gradient : {gradients[0], gradients[2]})
        for (int64_t i = 0; i < gradient.numel(); ++i)
            squares += std::pow(gradient.flatten()[i].item<double>(), 2);
    EXPECT_NEAR(global_norm(gradients).item<double>(), std::sqrt(squares), 1e-12);
    EXPECT_EQ(global_norm({torch::Tensor()}).item<double>(), 0.0);
    EXPECT_EQ(global_norm({}).item<double>(), 0.0);
}

TEST(GlobalNorm, ShowsOneNumberThatIsNotFinite) {
    for (const float bad :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        auto gradient = noise({100}, 1);
        gradient[57] = bad;
        EXPECT_FALSE(std::isfinite(global_norm({noise({3}, 2), gradient}).item<double>()));
    }
}

TEST(ClipGradients, ScalesAllToTheLimitAndKeepsTheirDirection) {
    const auto a = noise({3, 4}, 1, torch::kDouble), b = noise({5}, 2, torch::kDouble);
    const auto parameters = parameters_with({a, torch::Tensor(), b});
    const double norm = global_norm({a, b}).item<double>();
    clip_gradients(parameters, norm / 4.0);
    // (norm / 4) / (norm + 1e-6), as torch.nn.utils.clip_grad_norm_ has it
    const double factor = norm / 4.0 / (norm + 1e-6);
    EXPECT_TRUE(torch::allclose(parameters[0].grad(), a * factor, 1e-14, 0));
    EXPECT_FALSE(parameters[1].grad().defined());
    EXPECT_TRUE(torch::allclose(parameters[2].grad(), b * factor, 1e-14, 0));
    EXPECT_NE(parameters[0].grad().data_ptr(), a.data_ptr());
    EXPECT_TRUE(a.equal(noise({3, 4}, 1, torch::kDouble)));
}

TEST(ClipGradients, LeavesSmallerOnesAsTheyAreToTheBit) {
    const auto parameters = parameters_with({noise({3, 4}, 1), noise({5}, 2)});
    clip_gradients(parameters, 100.0);
    EXPECT_TRUE(parameters[0].grad().equal(noise({3, 4}, 1)));
    EXPECT_TRUE(parameters[1].grad().equal(noise({5}, 2)));
}

}  // namespace
}  // namespace mtlprune::gradient_norm_test

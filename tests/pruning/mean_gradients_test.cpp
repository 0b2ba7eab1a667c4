// Gradients averaged over mini-batches: whose tensors are kept, and whose are copied.
#include "pruning/evidence/mean_gradients.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "tests/pruning/two_tasks.h"

namespace mtlprune::mean_gradients_test {
namespace {

/// The mean of the gradients 2, 6 and 1 of one parameter; one that does not last is overwritten after it was
/// added.
double mean_of_three(bool lasting) {
    const torch::NoGradGuard no_grad;
    two_tasks::Subject subject(criteria().make("l2"));
    const Member member{"w", 0, Role::output, false, 1, {0}, "", 1};
    MeanGradients means(/*per_task=*/false);
    const auto first = torch::full({1}, 2.0), second = torch::full({1}, 6.0);
    const auto add = [&](const torch::Tensor& gradient) {
        torch::AutoGradMode with_gradients(true);
        auto batch = subject.evidence(subject.model->losses(1));
        batch.gradients = {{"w", gradient}};
        batch.lasting_gradients = lasting;
        means.add(batch, {&member});
    };
    add(first);
    if (!lasting) first.fill_(100.0);
    add(second);
    add(torch::full({1}, 1.0));
    EXPECT_EQ(second.item<double>(), 6) << "what was given is not added to";
    EXPECT_EQ(first.item<double>(), lasting ? 2 : 100);
    return means.means("test").at("w").front().item<double>();
}

TEST(MeanGradients, CopyWhatMayChangeLater) {
    EXPECT_EQ(mean_of_three(/*lasting=*/false), 3);
}

TEST(MeanGradients, DoNotWriteIntoWhatTheyKeep) {
    EXPECT_EQ(mean_of_three(/*lasting=*/true), 3);
}

}  // namespace
}  // namespace mtlprune::mean_gradients_test

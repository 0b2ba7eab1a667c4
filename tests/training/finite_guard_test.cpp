#include "training/callbacks/finite_guard.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <limits>

#include "base/error.h"
#include "tests/bad_input.h"
#include "tests/temporary_folder.h"
#include "tests/training/tiny_training.h"

namespace mtlprune::finite_guard_test {
namespace {

constexpr float kBad = std::numeric_limits<float>::quiet_NaN();

TrainerOptions options(int64_t iterations) {
    TrainerOptions options;
    options.optimizer.lr = 0.001;
    options.iterations = iterations;
    return options;
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// A depth that is not a number in mini-batch 3.
Trainer::NextBatch with_bad_depth() {
    return [next = uint64_t{0}]() mutable {
        auto batch = random_batch(next, 8);
        if (next++ == 3) batch.targets[2].value[0][0][2][2] = kBad;
        return batch;
    };
}

TEST(FiniteGuard, NamesIterationAndTaskAndKeepsMiniBatchAndModel) {
    const TemporaryFolder folder;
    const auto model = tiny_model();
    Trainer trainer(model, options(6), {std::make_shared<FiniteGuard>(folder.path(), 1)});
    const auto text = error_of([&] { trainer.run(with_bad_depth()); });
    EXPECT_TRUE(contains(text, "iteration 3") && contains(text, "'depth'")) << text;
    EXPECT_EQ(trainer.iteration(), 3);
    const auto batch = load_tensors(folder.path() / "not_finite_batch.pt");
    EXPECT_TRUE(batch.at("0.image").equal(random_batch(3, 8).image));
    EXPECT_TRUE(batch.at("0.target.depth").isnan().any().item<bool>());
    EXPECT_TRUE(batch.at("0.mask.normals").equal(random_batch(3, 8).targets[1].mask));
    const auto saved = load_tensors(folder.path() / "not_finite_model.pt");
    for (const auto& [name, tensor] : module_state(*model)) {
        EXPECT_TRUE(tensor.equal(saved.at(name))) << name;
        EXPECT_TRUE(tensor.isfinite().all().item<bool>()) << name << ": the step was not taken";
    }
}

TEST(FiniteGuard, LooksOnlyNowAndThenAndNamesTheFirst) {
    const TemporaryFolder folder;
    Trainer trainer(tiny_model(), options(20), {std::make_shared<FiniteGuard>(folder.path(), 6)});
    const auto text = error_of([&] { trainer.run(with_bad_depth()); });
    EXPECT_EQ(trainer.iteration(), 5);
    EXPECT_TRUE(contains(text, "iteration 3") && contains(text, "a loss of task 'depth'")) << text;
    const auto batch = load_tensors(folder.path() / "not_finite_batch.pt");
    EXPECT_TRUE(batch.at("0.image").equal(random_batch(3, 8).image));
}

TEST(FiniteGuard, HoldsAllMiniBatchesOfAnIteration) {
    const TemporaryFolder folder;
    auto accumulating = options(6);
    accumulating.update.accumulate = 2;
    Trainer trainer(tiny_model(), accumulating, {std::make_shared<FiniteGuard>(folder.path(), 1)});
    EXPECT_TRUE(contains(error_of([&] { trainer.run(with_bad_depth()); }), "iteration 1"));
    const auto batch = load_tensors(folder.path() / "not_finite_batch.pt");
    EXPECT_TRUE(batch.at("0.image").equal(random_batch(2, 8).image));
    EXPECT_TRUE(batch.at("1.image").equal(random_batch(3, 8).image));
}

/// Passes values through and makes the gradient of the first not a number.
struct BreakGradient : torch::autograd::Function<BreakGradient> {
    static torch::Tensor forward(torch::autograd::AutogradContext*, const torch::Tensor& x) {
        return x.clone();
    }
    static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                   torch::autograd::variable_list gradients) {
        return {gradients[0] * kBad};
    }
};

/// Two tasks with a part of the shared weights each, one of which has a broken gradient.
class BrokenSharedPart : public Model {
  public:
    BrokenSharedPart()
        : Model({{"near", TaskKind::depth, 1}, {"far", TaskKind::depth, 1}}),
          near_(register_parameter("near", torch::ones({1, 1}))),
          far_(register_parameter("far", torch::ones({1, 1}))) {}
    FeatureMaps features(const torch::Tensor& image) override {
        const auto gray = image.mean(1, true);
        return {gray * near_, gray * BreakGradient::apply(far_)};
    }
    torch::Tensor predict(size_t task, const FeatureMaps& features) override { return features[task]; }
    void initialise(uint64_t) override {}

  private:
    torch::Tensor near_, far_;
};

TEST(FiniteGuard, FindsTheTaskWhoseSharedGradientIsNotFinite) {
    const TemporaryFolder folder;
    auto batch = random_batch(1, 8);
    batch.targets = {batch.targets[2], batch.targets[2]};
    Trainer trainer(std::make_shared<BrokenSharedPart>(), options(3),
                    {std::make_shared<FiniteGuard>(folder.path(), 1)});
    const auto text = error_of([&] { trainer.step(batch); });
    EXPECT_TRUE(contains(text, "shared gradients of task 'far'")) << text;
}

TEST(FiniteGuard, ChangesNothingOtherwise) {
    const TemporaryFolder folder;
    const auto watched = tiny_model(), plain = tiny_model();
    Trainer(watched, options(6), {std::make_shared<FiniteGuard>(folder.path(), 2)}).run(tiny_batches());
    Trainer(plain, options(6)).run(tiny_batches());
    for (const auto& [name, tensor] : module_state(*watched))
        EXPECT_TRUE(tensor.equal(module_state(*plain).at(name))) << name;
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
    EXPECT_THROW(FiniteGuard(folder.path(), 0), Error);
}

}  // namespace
}  // namespace mtlprune::finite_guard_test

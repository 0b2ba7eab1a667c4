// Distillation of shared maps: what it adds to the gradients, and what it leaves alone.
#include "training/callbacks/feature_distillation.h"

#include <gtest/gtest.h>

#include "tests/bad_input.h"
#include "tests/training/tiny_training.h"

namespace mtlprune::feature_distillation_test {
namespace {

const torch::Tensor kAll = torch::arange(5);

TrainerOptions options() {
    TrainerOptions options;
    options.optimizer.kind = OptimizerKind::sgd;
    options.optimizer.lr = 0.01;
    return options;
}

/// A teacher that differs from tiny_model().
PaperModel teacher() {
    auto model = tiny_model();
    model->initialise(11);
    return model;
}

std::shared_ptr<FeatureDistillation> distillation(const ModelPtr& from, double weight = 2.0) {
    return std::make_shared<FeatureDistillation>(from, std::vector<torch::Tensor>{kAll}, weight);
}

TEST(FeatureDistillation, IsZeroWhereTheStudentIsTheTeachersKeptPart) {
    const auto student = tiny_model();
    const auto batch = random_batch(1, 8);
    auto features = student->features(batch.image);
    FeatureDistillation same(tiny_model(), {torch::tensor({0, 2, 4})}, 1.0);
    features[0] = features[0].index_select(1, torch::tensor({0, 2, 4}));
    EXPECT_EQ(same.feature_loss(batch, features, torch::ones({3})).item<float>(), 0.0F);
}

/// One iteration with and without: the difference is the gradient of beta times the mean squared distance.
TEST(FeatureDistillation, AddsItsOwnGradientToSharedParametersAlone) {
    const auto batch = random_batch(2, 8);
    for (const char* weighting : {"fixed", "pcgrad"}) {
        auto with = options();
        with.update.task_weighting = weighting;
        const auto plain = tiny_model(), taught = tiny_model();
        Trainer without_it(plain, with), with_it(taught, with, {distillation(teacher())});
        const auto losses = without_it.take_gradients(batch);
        with_it.take_gradients(batch);

        const auto student = tiny_model();
        const auto from = teacher();
        from->eval();
        const auto wanted = from->features(batch.image)[0].detach();
        const auto distance = (student->features(batch.image)[0] - wanted).square().mean();
        (distance * (2.0 * losses.sum() / distance).item<float>()).backward();
        const auto of_student = student->named_parameters(), of_plain = plain->named_parameters();
        for (const auto& item : taught->named_parameters()) {
            auto expected = of_plain[item.key()].grad();
            const bool own = item.key().rfind("heads.", 0) == 0;
            if (!own) expected = expected + of_student[item.key()].grad();
            EXPECT_TRUE(torch::allclose(item.value().grad(), expected, 1e-4, 1e-6))
                << weighting << item.key();
        }
    }
}

TEST(FeatureDistillation, ItsWeightIsSetOnceAndGoesIntoCheckpoints) {
    const auto student = tiny_model();
    auto first = distillation(teacher());
    const auto batch = random_batch(3, 8), other = random_batch(4, 8);
    const auto loss = [&](FeatureDistillation& callback, const Batch& of) {
        return callback.feature_loss(of, student->features(of.image), torch::tensor({1.0F, 2.0F, 3.0F}))
            .item<float>();
    };
    EXPECT_TRUE(first->state().empty());
    EXPECT_NEAR(loss(*first, batch), 2 * 6, 1e-4) << "twice the losses at first";
    auto resumed = distillation(teacher());
    resumed->load_state(first->state());
    const float later = loss(*first, other);
    EXPECT_NE(later, 12.0F);
    EXPECT_EQ(loss(*resumed, other), later);
}

TEST(FeatureDistillation, LeavesTheTeacherAsItWas) {
    const auto from = teacher();
    const auto before = copied(module_state(*from));
    auto many = options();
    many.iterations = 4;
    Trainer trainer(tiny_model(), many, {distillation(from)});
    trainer.run(tiny_batches());
    EXPECT_FALSE(from->is_training());
    for (const auto& [name, tensor] : module_state(*from)) EXPECT_TRUE(tensor.equal(before.at(name))) << name;
    for (const auto& parameter : from->parameters()) EXPECT_FALSE(parameter.grad().defined());
}

TEST(FeatureDistillation, RefusesMapsThatAreNotTheTeachersKept) {
    const auto student = tiny_model();
    const auto batch = random_batch(1, 8);
    FeatureDistillation wrong(tiny_model(), {torch::tensor({0, 1})}, 1.0);
    const auto message =
        error_of([&] { wrong.feature_loss(batch, student->features(batch.image), torch::ones({3})); });
    EXPECT_NE(message.find("map 0"), std::string::npos) << message;
}

}  // namespace
}  // namespace mtlprune::feature_distillation_test

// Networks as text.
#include "models/model_spec.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "base/error.h"
#include "tests/paper_network.h"
#include "tests/tiny_models.h"

namespace mtlprune::model_spec_test {
namespace {

std::string message(const std::string& text) {
    try {
        make_model(text, nyuv2_tasks(5));
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

int64_t elements(const torch::nn::Module& module) {
    int64_t count = 0;
    for (const auto& parameter : module.parameters()) count += parameter.numel();
    return count;
}

/// 9 (64 3 + 64 64 + 128 64 + 128 128 + 256 128 + 2 256 256 + 512 256 + 5 512 512) weights and 4224 biases.
TEST(ModelSpec, DefaultBackboneIsVgg16) {
    const auto backbone = backbones().make("vgg16");
    EXPECT_EQ(elements(*backbone), 14'714'688);
    ASSERT_EQ(backbone->maps().size(), 1U);
    EXPECT_EQ(backbone->maps()[0].channels, 512);
    EXPECT_EQ(backbone->maps()[0].stride, 32);
}

TEST(ModelSpec, OptionsReachTheLayers) {
    const auto model = make_model("vgg16:width=0.125,pools=2/smallaspp:hidden=6,dropout=0.2", nyuv2_tasks(5));
    EXPECT_EQ(widths(*model), (std::vector<int64_t>{8, 8, 16, 16, 32, 32, 32, 64, 64, 64, 64, 64, 64}));
    EXPECT_EQ(aspp(*model, 2).branches[3]->conv1->weight.sizes().vec(), (std::vector<int64_t>{6, 64, 3, 3}));
    EXPECT_EQ(aspp(*model, 2).branches[3]->dropout2->p, 0.2);
    const torch::NoGradGuard no_grad;
    EXPECT_EQ(model->forward(torch::zeros({1, 3, 16, 16}))[0].sizes().vec(),
              (std::vector<int64_t>{1, 5, 4, 4}));
    const auto uneven = make_model("vgg16:channels=[4,5,6],pools=1/smallaspp:hidden=2", nyuv2_tasks(5));
    EXPECT_EQ(widths(*uneven), (std::vector<int64_t>{4, 5, 6}));
}

TEST(ModelSpec, TextIsCompleteAndReadsBack) {
    const auto spec = parse_model_spec("vgg16:width=0.5/smallaspp", "here");
    EXPECT_TRUE(contains(spec.text(), "hidden=1024")) << spec.text();
    EXPECT_EQ(parse_model_spec(spec.text(), "here").text(), spec.text());
    EXPECT_EQ(parse_model_spec("vgg16:width=0.5,pools=5/smallaspp:dropout=0.5", "here").text(), spec.text());
    EXPECT_NE(parse_model_spec("vgg16:width=0.25/smallaspp", "here").text(), spec.text());
}

TEST(ModelSpec, NamesWhatIsWrong) {
    EXPECT_TRUE(contains(message("vgg16"), "BACKBONE/HEAD")) << message("vgg16");
    EXPECT_TRUE(contains(message("vgg61/smallaspp"), "did you mean 'vgg16'")) << message("vgg61/smallaspp");
    EXPECT_TRUE(contains(message("vgg16/smalaspp"), "did you mean 'smallaspp'"));
    EXPECT_TRUE(contains(message("vgg16:widht=1/smallaspp"), "did you mean 'width'"));
    EXPECT_TRUE(contains(message("vgg16:width=wide/smallaspp"), "a number"));
    EXPECT_TRUE(contains(message("vgg16:pools=6/smallaspp"), "0..5"));
    EXPECT_TRUE(contains(message("vgg16:pools=6,channels=[3]/smallaspp:hidden=0"), "expected"));
}

TEST(ModelSpec, HeadsRefuseMapsThatTheyCannotRead) {
    for (const auto& backbone : backbones().entries())
        for (const auto& head : heads().entries()) {
            const auto text = message(tiny(backbone) + "/" + tiny(head));
            const bool refused = contains(text, "head " + head.key + ": maps: expected");
            EXPECT_EQ(refused, !fits(backbone.key, head.key)) << text;
        }
}

/// What every network that can be put together must do, small.
class EveryModel : public testing::TestWithParam<std::string> {
  protected:
    std::shared_ptr<MultiTaskModel> make(uint64_t seed) const {
        const auto model = make_model(GetParam(), nyuv2_tasks(5));
        model->initialise(seed);
        return model;
    }
};

INSTANTIATE_TEST_SUITE_P(Pairs, EveryModel, testing::ValuesIn(tiny_model_specs()),
                         [](const auto& info) { return short_name(info.param); });

TEST_P(EveryModel, IsDrawnFromItsSeedAlone) {
    const auto a = make(5), b = make(5), c = make(6);
    bool differs = false;
    for (size_t i = 0; i < a->parameters().size(); ++i) {
        EXPECT_TRUE(a->parameters()[i].equal(b->parameters()[i]));
        EXPECT_TRUE(a->parameters()[i].isfinite().all().item<bool>());
        differs |= !a->parameters()[i].equal(c->parameters()[i]);
    }
    EXPECT_TRUE(differs);
}

TEST_P(EveryModel, PredictsEveryTaskFromOnePassOverWhatIsShared) {
    const auto model = make(1);
    model->eval();
    const torch::NoGradGuard no_grad;
    const int64_t side = tiny_side(GetParam());
    const auto image = torch::rand({2, 3, side, side}, at::detail::createCPUGenerator(3));
    const auto predictions = model->forward(image);
    const auto features = model->features(image);
    ASSERT_EQ(predictions.size(), model->tasks().size());
    for (size_t t = 0; t < predictions.size(); ++t) {
        EXPECT_EQ(predictions[t].size(1), model->tasks()[t].channels);
        EXPECT_TRUE(predictions[t].equal(model->predict(t, features)));
    }
}

TEST_P(EveryModel, EveryParameterBelongsToAllOrToOneTask) {
    const auto model = make(1);
    size_t count = model->shared_parameters().size();
    EXPECT_GT(count, 0U);
    for (size_t t = 0; t < model->tasks().size(); ++t) count += model->parameters_of(t).size();
    EXPECT_EQ(count, model->parameters().size());
}

}  // namespace
}  // namespace mtlprune::model_spec_test

// The masks themselves: counts, files, votes, overlaps.
#include "pruning/masks/weight_masks.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/bad_input.h"
#include "tests/pruning/masked_run.h"
#include "tests/temporary_folder.h"
#include "tests/tiny_models.h"

namespace mtlprune::weight_masks_test {
namespace {

torch::Tensor drawn_mask(at::IntArrayRef shape, uint64_t key) {
    return noise(shape, key).gt(0.3);
}

WeightMasks drawn_masks(uint64_t key) {
    return WeightMasks({{"stem.weight", "", drawn_mask({3, 5}, key)},
                        {"deep.weight", "", drawn_mask({2, 3, 3, 3}, key + 1)},
                        {"heads.a.weight", "a", drawn_mask({4, 2}, key + 2)},
                        {"heads.b.weight", "b", drawn_mask({8}, key + 3)}});
}

int64_t trues(const torch::Tensor& mask) {
    int64_t count = 0;
    for (const double value : doubles(mask)) count += value != 0.0;
    return count;
}

TEST(MaskableWeights, AreThoseOfConvolutionsAndLinearLayersOfEveryModel) {
    for (const auto& spec : tiny_model_specs()) {
        const auto model = make_model(spec, nyuv2_tasks(5));
        std::set<std::string> expected;
        for (const auto& layer : model->named_modules()) {
            const auto kind = layer.value()->name();
            if (kind.find("Conv") == std::string::npos && kind.find("Linear") == std::string::npos) continue;
            if (layer.value()->named_parameters(false).contains("weight"))
                expected.insert(layer.key() + ".weight");
        }
        std::set<std::string> found;
        bool shared_is_over = false;
        for (const auto& weight : maskable_weights(*model)) {
            EXPECT_TRUE(found.insert(weight.name).second) << weight.name;
            EXPECT_GE(weight.parameter.dim(), 2) << spec << ": " << weight.name;
            EXPECT_EQ(weight.name.rfind("heads." + weight.task + ".", 0) == 0, !weight.task.empty());
            shared_is_over |= !weight.task.empty();
            EXPECT_EQ(weight.task.empty(), !shared_is_over) << "shared weights come first";
        }
        for (const auto& name : found) EXPECT_TRUE(name.ends_with(".weight")) << name;
        for (const auto& name : expected) EXPECT_TRUE(found.contains(name)) << spec << ": " << name;
    }
}

TEST(WeightMasks, CountEveryPart) {
    const auto masks = drawn_masks(5);
    const int64_t shared = trues(masks.at("stem.weight")) + trues(masks.at("deep.weight"));
    EXPECT_EQ(masks.count_shared().kept, shared);
    EXPECT_EQ(masks.count_shared().all, 15 + 54);
    EXPECT_EQ(masks.count_of("b").kept, trues(masks.at("heads.b.weight")));
    EXPECT_EQ(masks.count().kept, shared + masks.count_of("a").kept + masks.count_of("b").kept);
    EXPECT_EQ(masks.count().all, 15 + 54 + 8 + 8);
    EXPECT_EQ(masks.tasks(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(masks.count_of("c").density(), 1.0);
    EXPECT_NEAR(masks.count().sparsity() + masks.count().density(), 1.0, 1e-15);
    EXPECT_EQ(error_of([&] { masks.at("stem.bias"); }),
              "weight masks: stem.bias: expected a mask, found none");
}

TEST(WeightMasks, ZeroWhatIsNotKeptAndNothingElse) {
    const auto model = drawn_model();
    const auto before = module_state(*drawn_model());
    std::vector<LayerMask> layers;
    uint64_t key = 0;
    for (const auto& weight : maskable_weights(*model))
        layers.push_back({weight.name, weight.task, drawn_mask(weight.parameter.sizes(), key++)});
    const WeightMasks masks(layers);
    masks.apply(*model);
    for (const auto& [name, tensor] : module_state(*model))
        EXPECT_TRUE(
            torch::equal(tensor, masks.contains(name) ? before.at(name) * masks.at(name) : before.at(name)))
            << name;
    const auto found = WeightMasks::of_values(maskable_weights(*model));
    for (const auto& layer : layers) EXPECT_TRUE(torch::equal(found.at(layer.name), layer.kept));
    EXPECT_EQ(error_of([&] { drawn_masks(1).apply(*model); }),
              "weight masks: stem.weight: expected a parameter of shape [3, 5], found none");
}

TEST(WeightMasks, AFileGivesThemBackInAnEighthOfAByte) {
    const TemporaryFolder folder;
    const auto masks = drawn_masks(9);
    masks.save(folder / "masks.pt");
    const auto found = WeightMasks::load(folder / "masks.pt");
    ASSERT_EQ(found.layers().size(), 4U);
    for (size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(found.layers()[i].name, masks.layers()[i].name);
        EXPECT_EQ(found.layers()[i].task, masks.layers()[i].task);
        EXPECT_TRUE(torch::equal(found.layers()[i].kept, masks.layers()[i].kept));
    }
    EXPECT_EQ(masks.state().at("deep.weight.bits").numel(), 7);
    // Weight 8 k + b is bit b of byte k.
    const auto bits = masks.state().at("stem.weight.bits");
    const auto flat = doubles(masks.at("stem.weight"));
    for (int64_t i = 0; i < 15; ++i)
        EXPECT_EQ((bits[i / 8].item<int64_t>() >> (i % 8)) & 1, static_cast<int64_t>(flat[i])) << i;
}

TEST(WeightMasks, SayWhatIsWrongWithAFile) {
    const auto of = [](TensorMap state) { return error_of([&] { WeightMasks::of_state(state, "f.pt"); }); };
    const auto whole = drawn_masks(9).state();
    auto state = whole;
    state.erase("layers");
    EXPECT_EQ(of(state), "weight masks: f.pt: layers: expected an entry, found nothing");
    state = whole;
    state.erase("deep.weight.bits");
    EXPECT_EQ(of(state), "weight masks: f.pt: deep.weight.bits: expected an entry, found nothing");
    state = whole;
    state["deep.weight.bits"] = state["deep.weight.bits"].narrow(0, 0, 6);
    EXPECT_EQ(
        of(state),
        "weight masks: f.pt: deep.weight: expected eight weights per byte of a shape [2, 3, 3, 3], found 6 "
        "bytes");
    state = whole;
    state["stem.weight.shape"] = torch::tensor({-3, -5});
    EXPECT_NE(of(state).find("stem.weight"), std::string::npos);
    state = whole;
    state["stem.weight.bits"] = state["stem.weight.bits"].to(torch::kFloat);
    EXPECT_EQ(of(state), "weight masks: f.pt: stem.weight.bits: expected Byte, found Float");
    state = whole;
    state["layers"] = text_tensor("[[\"stem.weight\"]]");
    EXPECT_NE(of(state).find("pairs of a parameter's and a task's name"), std::string::npos);
    auto others = WeightMasks({{"stem.weight", "", drawn_mask({5, 3}, 1)}});
    EXPECT_EQ(error_of([&] { others.load_state(whole, "here"); }),
              "weight masks: here: stem.weight: expected a mask of shape [5, 3], found another layer's");
    EXPECT_EQ(error_of([] {
                  WeightMasks({{"w", "", torch::ones({2})}});
              }),
              "weight masks: w: expected a mask of type Bool, found Float");
    EXPECT_EQ(error_of([] {
                  WeightMasks({{"w", "", drawn_mask({2}, 1)}, {"w", "", drawn_mask({2}, 1)}});
              }),
              "weight masks: w: expected one mask, found two");
}

/// Per weight, by counting.
TEST(WeightMasks, VotesOfTasksAreCounted) {
    for (const size_t tasks : {1U, 2U, 3U, 4U}) {
        std::vector<WeightMasks> of_tasks;
        for (size_t t = 0; t < tasks; ++t)
            of_tasks.push_back(
                WeightMasks({{"shared", "", drawn_mask({40}, t + 1)},
                             {fmt::format("own.{}", t), fmt::format("{}", t), drawn_mask({9}, t + 50)}}));
        for (const auto vote : {Vote::all, Vote::any, Vote::majority}) {
            const auto joint = combined(of_tasks, vote);
            ASSERT_EQ(joint.layers().size(), 1 + tasks);
            for (int64_t i = 0; i < 40; ++i) {
                size_t prune = 0;
                for (const auto& masks : of_tasks) prune += !masks.at("shared")[i].item<bool>();
                bool pruned = prune == tasks;
                if (vote == Vote::any) pruned = prune > 0;
                if (vote == Vote::majority) pruned = 2 * prune > tasks;
                EXPECT_EQ(joint.at("shared")[i].item<bool>(), !pruned);
            }
            for (size_t t = 0; t < tasks; ++t) {
                const auto name = fmt::format("own.{}", t);
                EXPECT_TRUE(torch::equal(joint.at(name), of_tasks[t].at(name)));
            }
        }
    }
}

TEST(WeightMasks, OverlapPerLayerAndInTotal) {
    const auto a = drawn_masks(1), b = drawn_masks(21);
    const auto layers = overlaps(a, b);
    ASSERT_EQ(layers.size(), 4U);
    int64_t both = 0, either = 0;
    for (const auto& layer : layers) {
        const auto x = doubles(a.at(layer.name)), y = doubles(b.at(layer.name));
        int64_t in_both = 0, in_one = 0;
        for (size_t i = 0; i < x.size(); ++i) {
            in_both += x[i] + y[i] == 2.0;
            in_one += x[i] + y[i] == 1.0;
        }
        EXPECT_DOUBLE_EQ(layer.iou(), static_cast<double>(in_both) / static_cast<double>(in_both + in_one));
        both += in_both;
        either += in_both + in_one;
    }
    EXPECT_DOUBLE_EQ(total(layers).iou(), static_cast<double>(both) / static_cast<double>(either));
    EXPECT_EQ(overlaps(a, a)[1].iou(), 1.0);
    EXPECT_EQ(overlaps(a, WeightMasks({{"deep.weight", "", drawn_mask({2, 3, 3, 3}, 3)}})).size(), 1U);
    const WeightMasks none({{"stem.weight", "", torch::zeros({3, 5}, torch::kBool)}});
    EXPECT_EQ(overlaps(none, none)[0].iou(), 1.0);
}

}  // namespace
}  // namespace mtlprune::weight_masks_test
